"""The objective, as pure functions of tensors.

Every loss is a mean over the batch. Formulas: SimCSE equations 4 and 5, MCSE equations 3 to 5. Where the paper and its
published code differ, the code is followed: the grounding loss is the mean over the two dropout views, not their sum,
so the published lambda belongs to the mean.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize


def info_nce(anchors: Tensor, candidates: Tensor, temperature: float) -> Tensor:
    """Contrast each anchor against all candidates; the one of the same row is right.

    Args:
        anchors: (batch, width).
        candidates: (batch, width).
        temperature: divides the cosine.

    Returns:
        Scalar: -mean_i log softmax_j(cos(anchor_i, candidate_j) / temperature)[i].
    """
    scores = _cosines(anchors, candidates) / temperature  # (batch, batch)
    return cross_entropy(scores, _own(scores))


def simcse_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """l^S, SimCSE equation 4: two dropout views of the same sentences, or pairs that mean the same; (batch, width)."""
    return info_nce(first, second, temperature)


def hard_negative_loss(first: Tensor, second: Tensor, negative: Tensor, temperature: float, weight: float) -> Tensor:
    """SimCSE equation 5: sentences against all positives and all hard negatives of the batch.

    Args:
        first: (batch, width) sentences.
        second: (batch, width) their positives.
        negative: (batch, width) their hard negatives.
        temperature: divides the cosine.
        weight: alpha, on the exponential of the hard negative of the same row; the others count once.
    """
    positives = _cosines(first, second) / temperature  # (batch, batch)
    negatives = _cosines(first, negative) / temperature  # (batch, batch)
    negatives = negatives + math.log(weight) * torch.eye(len(first), dtype=first.dtype, device=first.device)
    return cross_entropy(torch.cat([positives, negatives], dim=1), _own(positives))


def grounding_loss(
    first: Tensor, second: Tensor, images: Tensor, temperature: float, *, image_to_text: bool = False
) -> Tensor:
    """l^M: both views of the sentences against their images, averaged over the views.

    Args:
        first: (batch, projection) grounded sentences, first dropout view.
        second: (batch, projection) the second view.
        images: (batch, projection) projected images; row i belongs to sentence i.
        temperature: divides the cosine.
        image_to_text: average with the opposite direction, each image against all sentences.
    """
    to_images = (info_nce(first, images, temperature) + info_nce(second, images, temperature)) / 2
    if not image_to_text:
        return to_images
    to_texts = (info_nce(images, first, temperature) + info_nce(images, second, temperature)) / 2
    return (to_images + to_texts) / 2


def anchor_loss(first: Tensor, second: Tensor, start: Tensor) -> Tensor:
    """How far both views moved from the vectors of the untrained start: mean of 1 - cosine, (batch, width) each."""
    towards = cosine_similarity(first, start, dim=-1) + cosine_similarity(second, start, dim=-1)
    return 1 - towards.mean() / 2


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    return normalize(left, dim=-1) @ normalize(right, dim=-1).T


def _own(scores: Tensor) -> Tensor:
    """The right candidate of each row: the one of its own number."""
    return torch.arange(len(scores), device=scores.device)
