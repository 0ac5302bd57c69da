"""The same by the field's libraries: scikit-learn's temperature, mapie's sets and intervals."""

import numpy as np
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its own answers already: probabilities, or scores to be told as such."""

    def __init__(self, classes=10, scores=False):
        self.classes, self.scores = classes, scores
        self.classes_ = np.arange(classes)
        self.n_features_in_ = classes

    def fit(self, x, y):
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, x):
        """The inputs; of scores, what a softmax makes of them."""
        if not self.scores:
            return np.asarray(x)
        exps = np.exp(x - np.max(x, 1, keepdims=True))
        return exps / exps.sum(1, keepdims=True)

    def decision_function(self, x):
        """The inputs; of two classes, the second's lead, as scikit-learn wants it."""
        x = np.asarray(x)
        return x[:, 1] - x[:, 0] if self.classes == 2 else x

    def predict(self, x):
        """The class with the largest input."""
        return np.argmax(x, 1)


class GivenNumber(RegressorMixin, BaseEstimator):
    """A regressor whose input is its own answer already."""

    fitted_ = True  # what mapie looks for

    def fit(self, x, y):
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, x):
        """The first column."""
        return np.asarray(x)[:, 0]


def calibrated(method, scores, y, new):
    """Probabilities (n, classes) at new scores by scikit-learn: "temperature", "sigmoid" or "isotonic"."""
    given = FrozenEstimator(Given(scores.shape[1], scores=True))
    return CalibratedClassifierCV(given, method=method).fit(scores, y).predict_proba(new)


def mapie_sets(chances, y, new, level):
    """Sets (n, classes) of booleans by mapie, at one level."""
    machine = SplitConformalClassifier(Given(chances.shape[1]), confidence_level=level)
    return machine.conformalize(chances, y).predict_set(new)[1][:, :, 0]


def mapie_intervals(guess, y, new, level):
    """Lower and upper ends (n, 2) by mapie, at one level."""
    machine = SplitConformalRegressor(GivenNumber(), confidence_level=level)
    return machine.conformalize(guess[:, None], y).predict_interval(new[:, None])[1][:, :, 0]
