"""MCSE: the encoder with its heads. It names what it computes; the losses live in training."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.encoder import TextEncoder, TokenBatch
from models.heads import GroundingProjection, ImageProjection, MLPHead


@dataclass(frozen=True, slots=True)
class MCSEOutput:
    """What one forward pass gives; a head that the model lacks gives None."""

    sentence: Tensor
    """(batch, dimension) the encoder's vector, which is evaluated and served"""
    projected: Tensor
    """(batch, dimension) after the MLP head: what the text loss compares; `sentence` where there is no such head, or
    where the encoder has already applied it"""
    grounded: Tensor | None
    """(batch, projection) unit vectors in the space shared with images"""


class MCSE(nn.Module):
    """A text encoder, the heads it was trained with, and the image side of the shared space."""

    def __init__(
        self,
        encoder: TextEncoder,
        *,
        mlp: MLPHead | None = None,
        grounding: GroundingProjection | None = None,
        image: ImageProjection | None = None,
    ) -> None:
        """Put a model together.

        Raises:
            ValueError: the encoder has an MLP head already, and `mlp` is another.
        """
        super().__init__()
        if encoder.head is not None and mlp is not None:
            raise ValueError("the MLP head is in the encoder already; a second one was given")
        self.encoder = encoder
        self.mlp = mlp
        self.grounding = grounding
        self.image = image

    @property
    def text_head(self) -> MLPHead | None:
        """The MLP head, whether it is for training only or a part of the encoder."""
        return self.mlp if self.encoder.head is None else self.encoder.head

    def forward(self, batch: TokenBatch) -> MCSEOutput:
        """Encode sentences and apply the text heads."""
        sentence: Tensor = self.encoder(batch)
        return MCSEOutput(
            sentence=sentence,
            projected=self.mlp(sentence) if self.mlp is not None else sentence,
            grounded=self.grounding(sentence) if self.grounding is not None else None,
        )

    def project_images(self, features: Tensor) -> Tensor:
        """(batch, features) to (batch, projection) unit vectors in the shared space.

        Raises:
            ValueError: the model has no image projection.
        """
        if self.image is None:
            raise ValueError("this model has no image projection; train it with images first")
        projected: Tensor = self.image(features)
        return projected
