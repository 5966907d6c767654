"""AIPowerMeter's interface, for scripts written against it: only the import line changes.

    from ergometer.aipowermeter import experiment, parsers

    driver = parsers.JsonParser("input_112/run_0")
    exp = experiment.Experiment(driver)
    p, q = exp.measure_yourself(period=2)
    work()
    q.put(experiment.STOP_MESSAGE)

The folder then holds power_metrics.json and metadata.json in the layout of AIPowerMeter (docs/user/aipowermeter.md).
Powers are those of whole intervals: energy counters are read at both ends, so no joule is lost between records. What is
not measured here is absent.
"""
