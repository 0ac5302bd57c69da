"""Ways of describing a text without a network: counted words, counted pieces of words, likeness to modules.

It knows nothing of BERT and of labels; `lessons/03_tiny_bert.md` puts logistic regression on top.
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize


def by_module(documents, most):
    """Up to `most` such paragraphs of each document that has four or more."""
    found = ([text for text in document.paragraphs if len(text) >= 80] for document in documents)
    return [texts[:most] for texts in found if len(texts) >= 4]


def count_words(texts):
    """TF-IDF of words, its vocabulary and its weights learnt from these texts."""
    return TfidfVectorizer(sublinear_tf=True, min_df=2).fit(texts)


def count_pieces(texts):
    """TF-IDF of runs of two to five characters within words, the 10,000 most frequent."""
    settings = {"analyzer": "char_wb", "ngram_range": (2, 5), "max_features": 10_000}
    return TfidfVectorizer(sublinear_tf=True, min_df=2, **settings).fit(texts)


def liken(modules, counter):
    """A function from texts to (texts, modules): cosines of counts with each module's mean, less the mean of all."""
    means = np.concatenate([np.asarray(counter.transform(texts).mean(axis=0)) for texts in modules])
    kin = normalize(means - means.mean(axis=0))  # (modules, pieces)
    return lambda texts: normalize(counter.transform(texts) @ kin.T)
