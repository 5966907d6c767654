"""Unmodified Keras 3 programs on JAX's CPU backend."""
import importlib.util
import json
import textwrap
import unittest

from python_case import PACKAGE, PythonCase, names

HAS_KERAS = importlib.util.find_spec("keras") is not None and importlib.util.find_spec("jax") is not None

MNIST_CNN = """
    import numpy as np
    import keras
    from keras import layers

    rng = np.random.default_rng(0)
    x_train = rng.random((250, 28, 28, 1), dtype="float32")
    y_train = keras.utils.to_categorical(rng.integers(0, 10, 250), 10)
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(4),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=50, epochs=3, validation_split=0.2, verbose=0)
    score = model.evaluate(x_train[:100], y_train[:100], batch_size=50, verbose=0)
    print("outputs", model.predict(x_train[:150], batch_size=50, verbose=0).shape)
"""

#: Small enough that each compilation is quick. Batches of one size are compiled once.
DENSE = """
    import numpy as np
    import keras
    x = np.random.default_rng(0).random((100, 4), dtype="float32")
    y = x.sum(axis=1, keepdims=True)
    def build(cls=keras.Model):
        inputs = keras.Input((4,))
        model = cls(inputs, keras.layers.Dense(1)(inputs))
        model.compile(loss="mse", optimizer="sgd", run_eagerly=False)
        return model
"""


@unittest.skipUnless(HAS_KERAS, "keras and jax are not installed for this Python (tests/requirements.txt)")
class Keras(PythonCase):
    def setUp(self):
        super().setUp()
        # Keras imports TensorFlow at times, whose greeting on stderr has the time of day in it.
        self.environment.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0",
                                KERAS_HOME=str(self.folder / "keras"))

    def train(self, text, **options):
        return self.windows(self.script(textwrap.dedent(DENSE) + textwrap.dedent(text)), **options)

    def check_mnist(self, run, windows):
        self.assertEqual(names(windows), [
            ("fit", None),
            ("epoch", 200), ("validation", 50), ("epoch", 200), ("validation", 50), ("epoch", 200), ("validation", 50),
            ("evaluate", 100), ("predict", 150),
        ])
        self.assertEqual(sum(count for name, count in windows if name == "step"), 12)
        self.assert_physical(run)
        fit = next(window for window in run["windows"] if window["name"] == "fit")
        inside = [w for w in run["windows"] if w["name"] in ("epoch", "validation")]
        self.assertLessEqual(sum(w["duration_s"] for w in inside), fit["duration_s"])

    def test_mnist_on_the_cpu_estimate(self):
        run, windows = self.windows(self.script(MNIST_CNN))
        self.check_mnist(run, windows)
        self.assertEqual({energy["provenance"] for energy in run["energy"]}, {"estimated"})

    def test_mnist_on_a_simulated_gpu(self):
        run, windows = self.windows(self.script(MNIST_CNN), before=("--sim", "v100"))
        self.check_mnist(run, windows)
        gpu = next(energy for energy in run["energy"] if energy["channel"] == "gpu0")
        self.assertEqual(gpu["provenance"], "simulated")
        parts = sum(energy["joules"] for window in run["windows"] if window["name"] in ("fit", "evaluate", "predict")
                    for energy in window["energy"] if energy["channel"] == "gpu0")
        self.assertLess(parts, gpu["high_j"])
        self.assertGreater(parts, 0)

    def test_a_generator_is_counted_as_it_is_read(self):
        _, windows = self.train("""
            def batches():
                while True:
                    for n in (10, 30):
                        yield x[:n], y[:n]
            build().fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
        """)
        self.assertEqual(names(windows), [("fit", None), ("epoch", 50), ("epoch", 70)])

    def test_a_data_set_of_uneven_batches(self):
        _, windows = self.train("""
            class Uneven(keras.utils.PyDataset):
                def __len__(self): return 3
                def __getitem__(self, i): return x[:(10, 30, 10)[i]], y[:(10, 30, 10)[i]]
            build().fit(Uneven(), epochs=2, verbose=0, validation_data=(x[:64], y[:64]))
        """)
        self.assertEqual(names(windows),
                         [("fit", None), ("epoch", 50), ("validation", 64), ("epoch", 50), ("validation", 64)])

    def test_a_custom_train_step(self):
        _, windows = self.train("""
            class Custom(keras.Model):
                def train_step(self, state, data):
                    print("custom step is traced")
                    return super().train_step(state, data)
            build(Custom).fit(x, y, batch_size=50, epochs=2, verbose=0)
        """)
        self.assertEqual(names(windows), [("fit", None), ("epoch", 100), ("epoch", 100)])

    def test_the_live_total_of_a_training_that_goes_on(self):
        done = self.ergo("run", "--", self.python, self.script(textwrap.dedent(DENSE) + textwrap.dedent("""
            import time
            slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.6))
            build().fit(x, y, batch_size=50, initial_epoch=3, epochs=7, verbose=0, callbacks=[slow])
        """)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^ergo: 2 of 4 epochs: ")

    def test_an_evaluation_within_training_and_a_second_training(self):
        _, windows = self.train("""
            model, judge = build(), build()
            class Judge(keras.callbacks.Callback):
                def on_epoch_end(self, epoch, logs=None):
                    judge.evaluate(x[:50], y[:50], batch_size=50, verbose=0)
            model.fit(x, y, batch_size=50, epochs=1, callbacks=[Judge()], verbose=0)
            model.fit(x, y, batch_size=50, initial_epoch=1, epochs=2, verbose=0)
        """)
        self.assertEqual(names(windows),
                         [("fit", None), ("epoch", 100), ("evaluate", 50), ("fit", None), ("epoch", 100)])

    def test_a_training_that_is_stopped(self):
        _, windows = self.train("""
            class Stop(keras.callbacks.Callback):
                def on_train_batch_end(self, batch, logs=None):
                    if batch == 2:
                        raise RuntimeError("enough")
            model = build()
            try:
                model.fit(x, y, batch_size=20, callbacks=[Stop()], verbose=0)
            except RuntimeError:
                pass
            model.fit(x, y, batch_size=20, verbose=0)
        """)
        self.assertEqual(names(windows), [("fit", None), ("epoch", 60), ("fit", None), ("epoch", 100)])

    def test_results_and_output_are_the_same(self):
        script = self.script(textwrap.dedent(DENSE) + textwrap.dedent("""
            import hashlib
            keras.utils.set_random_seed(1)
            model = build()
            history = model.fit(x, y, batch_size=50, epochs=2, verbose=0)
            print(history.history)
            print(hashlib.sha256(model.get_weights()[0].tobytes()).hexdigest())
        """))
        self.assert_same(script)

    def test_a_program_that_replaces_fit_is_left_alone(self):
        script = self.script(textwrap.dedent(DENSE) + textwrap.dedent("""
            original = keras.Model.fit
            def fit(self, *arguments, **more):
                print("mine", more)
                return original(self, *arguments, **{**more, "epochs": 2}).history["loss"]
            keras.Model.fit = fit
            keras.utils.set_random_seed(1)
            print(build().fit(x, y, batch_size=50, verbose=0))
            class Own(keras.Model):
                def fit(self, *ignored):
                    print("no training at all")
                    raise SystemExit(5)
            build(Own).fit(x, y)
        """))
        self.assertEqual(self.assert_same(script).returncode, 5)

    def test_the_traceback_of_a_broken_data_set_is_the_same(self):
        script = self.script(textwrap.dedent(DENSE) + textwrap.dedent("""
            keras.config.disable_traceback_filtering()
            def batches():
                for _ in range(3):
                    yield x[:10], y[:10]
                raise OSError("disk gone")
            build().fit(batches(), steps_per_epoch=5, verbose=0)
        """))
        same = self.assert_same(script)
        self.assertIn(b"disk gone", same.stderr)
        self.assertEqual(same.returncode, 1)

    def test_the_callback_of_the_package(self):
        self.environment.update(PYTHONPATH=str(PACKAGE))
        script = self.script(textwrap.dedent(DENSE) + textwrap.dedent("""
            import json
            from ergometer.keras import EnergyCallback
            energy = EnergyCallback()
            history = build().fit(x, y, batch_size=50, epochs=2, verbose=0, callbacks=[energy])
            print(json.dumps([len(energy.epochs), energy.training.duration_s, sum(e.duration_s for e in energy.epochs),
                              [float(j) for j in history.history["estimated_energy_j"]]]))
        """))
        done = self.plain(script)
        self.assertEqual(done.returncode, 0, done.stderr)
        epochs, training, inside, joules = json.loads(done.stdout)
        self.assertEqual(epochs, 2)
        self.assertLessEqual(inside, training)
        self.assertTrue(all(j > 0 for j in joules), joules)


TENSORFLOW = """
    import numpy as np
    import tensorflow as tf
    keras = tf.keras
    x = np.random.default_rng(0).random((1000, 4), dtype="float32")
    y = x.sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="sgd")
"""


@unittest.skipUnless(importlib.util.find_spec("tensorflow"), "tensorflow is not installed for this Python")
class TensorFlow(PythonCase):
    """TensorFlow takes its batches inside a graph: samples are known from their source."""

    def setUp(self):
        super().setUp()
        self.environment.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3",
                                KERAS_HOME=str(self.folder / "keras"))

    def counts(self, text):
        run, windows = self.windows(self.script(textwrap.dedent(TENSORFLOW) + textwrap.dedent(text)))
        self.assert_physical(run)
        return names(windows, "fit")

    def test_arrays(self):
        self.assertEqual(self.counts("""
            model.fit(x, y, batch_size=64, epochs=2, validation_split=0.1, verbose=0)
            model.evaluate(x, y, verbose=0)
            model.predict(x[:50], verbose=0)
            model.fit(x, y, batch_size=300, epochs=4, steps_per_epoch=1, verbose=0)
        """), [("epoch", 900), ("validation", 100)] * 2 + [("evaluate", 1000), ("predict", 50)]
            + [("epoch", 300)] * 3 + [("epoch", 100)])

    def test_generators_and_data_sets(self):
        self.assertEqual(self.counts("""
            def batches():
                while True:
                    for n in (10, 20, 30):
                        yield x[:n], y[:n]
            class Uneven(keras.utils.PyDataset):
                def __len__(self): return 3
                def __getitem__(self, i): return x[:40 + i], y[:40 + i]
            model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0)
            model.fit(Uneven(), epochs=2, verbose=0)
        """), [("epoch", 70), ("epoch", 80), ("epoch", 123), ("epoch", 123)])

    def test_pipelines(self):
        self.assertEqual(self.counts("""
            data = tf.data.Dataset.from_tensor_slices((x, y))
            model.fit(data.shuffle(1000).batch(300).prefetch(2), epochs=2, verbose=0)
            model.fit(data.batch(300, drop_remainder=True), verbose=0)
            model.fit(data.filter(lambda a, b: a[0] > 0.5).batch(300), verbose=0)
        """), [("epoch", 1000), ("epoch", 1000), ("epoch", 900), ("epoch", None)])

    @unittest.skipUnless(importlib.util.find_spec("tf_keras"), "tf_keras (Keras 2) is not installed for this Python")
    def test_keras_2(self):
        self.assertEqual(self.counts("""
            import tf_keras
            old = tf_keras.Sequential([tf_keras.layers.Dense(1)])
            old.compile("sgd", "mse")
            old.fit(x, y, batch_size=64, epochs=2, validation_split=0.1, verbose=0)
            old.predict(x, verbose=0)
        """), [("epoch", 900), ("validation", 100)] * 2 + [("predict", 1000)])


if __name__ == "__main__":
    unittest.main()
