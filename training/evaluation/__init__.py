"""How good a model is: similarity, transfer, retrieval, geometry, contamination."""
