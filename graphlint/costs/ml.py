"""Classical machine learning (ai.onnx.ml): memory access of the tensors alone.

Counting convention: `docs/counting.md`, "Classical machine learning". Trees, coefficients and
vocabularies stand in attributes, not in tensors, and are not counted; multiply-adds are 0.
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import moved, rows_taken

__all__ = ["HANDLES"]


def features_taken(operation: Operation) -> Work:
    """ArrayFeatureExtractor: the columns that it takes are read."""
    return Work(reads={0: rows_taken(operation.input(0), operation.output(0).elements)})


HANDLES = {
    **operators("ArrayFeatureExtractor", features_taken, Category.MOVEMENT, control=(1,)),
    **operators("Binarizer Imputer LabelEncoder Scaler", moved, Category.ELEMENTWISE),
    **operators("CategoryMapper CastMap DictVectorizer", moved, Category.OTHER),
    **operators("FeatureVectorizer OneHotEncoder", moved, Category.MOVEMENT),
    **operators("Normalizer", moved, Category.NORMALISATION),
    **operators("ZipMap", moved, Category.OTHER),
    **operators(
        "LinearClassifier LinearRegressor SVMClassifier SVMRegressor", moved, Category.OTHER
    ),
    **operators("TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor", moved, Category.OTHER),
}
