"""From sentence vectors into the space shared with images."""

import torch

from models.heads import GroundingProjection
from models.runtime.base import Vectors


@torch.inference_mode()
def grounded(head: GroundingProjection | None, sentences: Vectors) -> Vectors:
    """(n, dimension) sentence vectors to (n, grounded_dimension) unit vectors in the shared space.

    Raises:
        ValueError: there is no grounding head.
    """
    if head is None:
        raise ValueError("this checkpoint has no grounding head")
    vectors: Vectors = head(torch.from_numpy(sentences)).numpy()
    return vectors
