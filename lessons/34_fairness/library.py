"""What `fairlearn` says to the questions that the lesson answers itself."""

import numpy as np
import pandas as pd
from fairlearn import metrics
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, ErrorRate, ExponentiatedGradient
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression


def frame(label, decision, group):
    """Selection rate, TPR and FPR, one row a group (groups, 3), by MetricFrame."""
    names = ("selection_rate", "true_positive_rate", "false_positive_rate")
    asked = {name: getattr(metrics, name) for name in names}
    table = metrics.MetricFrame(metrics=asked, y_true=label, y_pred=decision, sensitive_features=group)
    return table.by_group[list(names)].to_numpy(float)


def differences(label, decision, group):
    """Demographic parity difference and equalized odds difference."""
    how = {"sensitive_features": group}
    parity = metrics.demographic_parity_difference(label, decision, **how)
    return float(parity), float(metrics.equalized_odds_difference(label, decision, **how))


def costs(label, group, multipliers):
    """Signed weights (n,) of the reduction; multipliers (2, groups): of too much, of too little."""
    table = pd.DataFrame({"x": np.zeros(len(label))})
    parity, error = DemographicParity(), ErrorRate()
    for moment in (parity, error):
        moment.load_data(table, pd.Series(label), sensitive_features=pd.Series(group))
    named = {(sign, "all", k): m for sign, row in zip("+-", multipliers, strict=True) for k, m in enumerate(row)}
    vector = pd.Series({key: named[key] for key in parity.index})
    vector.index = parity.index
    return (error.signed_weights() + parity.signed_weights(vector)).to_numpy()


def constrained(x, label, group, eps, new):
    """Chance of a yes (m,) at new people, by ExponentiatedGradient over scikit-learn's logistic regression."""
    learner = ExponentiatedGradient(
        LogisticRegression(C=1e4, solver="newton-cholesky"), DemographicParity(difference_bound=eps), max_iter=30
    )
    learner.fit(x, label, sensitive_features=group)
    return learner._pmf_predict(new)[:, 1]


class _Given(ClassifierMixin, BaseEstimator):
    """An estimator whose answer is its first column."""

    classes_ = np.array([0, 1])

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.asarray(x)[:, 0]

    def __sklearn_is_fitted__(self):
        return True


def optimizer(score, label, group):
    """Chance of a yes (n,) by ThresholdOptimizer with equal selection rates, on the people that it was fitted to."""
    x = np.asarray(score)[:, None]
    tool = ThresholdOptimizer(
        estimator=_Given(), constraints="demographic_parity", prefit=True, predict_method="predict"
    )
    tool.fit(x, label, sensitive_features=group)
    return tool._pmf_predict(x, sensitive_features=group)[:, 1]
