"""scikit-learn's MLPClassifier. Its weights start Glorot uniform, and a last incomplete batch is used too."""

from __future__ import annotations

import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.protocol import Job, Training


def train(job: Job) -> Training:
    """One run after another; an epoch's time is that of `fit` divided by the epochs, since it tells no other."""
    workload, arrays, training = job.workload, job.arrays, Training()
    for seed, rate in job.runs:
        started = time.perf_counter()
        model = MLPClassifier(
            hidden_layer_sizes=(workload.width,) * workload.depth,
            solver="sgd",
            alpha=0.0,
            batch_size=workload.batch_size,
            learning_rate_init=rate,
            momentum=workload.momentum,
            nesterovs_momentum=False,
            max_iter=workload.epochs,
            tol=0.0,
            n_iter_no_change=10 * workload.epochs,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is given
            model.fit(arrays.train_x, arrays.train_y)
        training.epochs += [(time.perf_counter() - started) / workload.epochs] * workload.epochs
        training.accuracies.append(float(model.score(arrays.test_x, arrays.test_y)))
        training.runs.append(time.perf_counter() - started)
    del training.epochs[: workload.epochs]
    return training
