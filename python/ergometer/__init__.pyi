from . import aipowermeter as aipowermeter, mark as mark
from ._measure import Measurement as Measurement, measure as measure
from ._model import Table as Table, advise as advise, predict as predict
from ._monitor import Monitor as Monitor, Window as Window
from ._native import ErgometerError as ErgometerError
from ._results import Channel as Channel, Energy as Energy
from ._run import Report as Report, run as run
from ._store import Store as Store

__version__: str
