from . import aipowermeter as aipowermeter, mark as mark
from ._errors import ErgometerError as ErgometerError
from ._measure import Measurement as Measurement, measure as measure
from ._model import advise as advise, predict as predict
from ._monitor import Monitor as Monitor, Window as Window
from ._results import Channel as Channel, Energy as Energy, Table as Table
from ._run import Report as Report, run as run
from ._sensors import Sensors as Sensors, sensors as sensors
from ._store import Store as Store

__version__: str
