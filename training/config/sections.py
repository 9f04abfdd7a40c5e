"""The settings of a run: frozen, each field documented.

A run is described by one TOML file whose tables are the classes below. Paths of data are relative to the data folder
(`MCSE_DATA`, by default `../shared/data`), unless they are absolute.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from models.config import Pooling

CaptionFormat = Literal["auto", "plain", "flickr", "entities", "coco"]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained."""

    base: str
    """Starting point: a directory, `package:NAME`, or a hub id."""
    pooling: Pooling = "cls"
    """How a sentence vector is read out; the paper uses `cls`."""
    mlp_head: bool = True
    """Put SimCSE's MLP between the encoder and the text loss, in training only. Good from a plain language model;
    from a sentence-tuned start its random weights can do harm."""
    projection: int = 256
    """Width of the space shared with images (paper: 256)."""
    image_dropout: float = 0.0
    """Dropout on the image features; the paper has none."""
    dropout: float | None = None
    """Dropout inside the encoder, which makes the two views; None keeps what the base states (BERT: 0.1)."""


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it is trained on."""

    text: str | None = None
    """Sentences: plain lines, JSONL, CSV, TSV or Parquet, each also as gzip. None trains without text batches."""
    text_column: str | None = None
    """Column or key of the sentence where the file has several; None takes the only one, or the one named `text`."""
    supervised: str | None = None
    """Instead of `text`: a file of two columns, sentence and positive, or three, with a hard negative."""
    captions: str | None = None
    """Captions of images. None trains on text alone."""
    caption_format: CaptionFormat = "auto"
    """`plain`: a caption a line, in the order of the features; `flickr`: `image.jpg#number<TAB>caption`; `entities`:
    a folder of Flickr30k Entities sentences; `coco`: COCO's JSON. `auto` looks at the file."""
    features: str | None = None
    """Image features: HDF5 (`features`), npz (`image_ids`, `features`) or safetensors."""
    split: str | None = None
    """Image ids to train on, one a line; None takes every captioned image."""
    captions_per_image: Literal["one", "all"] = "one"
    """`one` chooses a caption per image once (paper); `all` takes another one at each pass."""
    max_tokens: int = 32
    """Longest training input in tokens (paper: 32). Evaluation is not cut to it."""


@dataclass(frozen=True, slots=True)
class AblationConfig:
    """What is taken away to see what it was good for. Text batches stay the same in every arm of one seed."""

    images: Literal["true", "shuffled", "random"] = "true"
    """`shuffled` gives each caption another image of the set, `random` noise of the same mean and spread. For captions
    without images use objective.framework `simcse`."""
    pairs: int | None = None
    """Use only so many images, drawn by the seed; a smaller number is a subset of a larger one."""
    drop_overlap: bool = False
    """Leave out captions that also stand in an STS set, and images that have no other. Text batches stay."""


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What is minimised: SimCSE loss + grounding_weight x grounding loss + anchor_weight x anchor loss."""

    framework: Literal["mcse", "simcse"] = "mcse"
    """`simcse` sees the same caption batches without their images: the paper's matched baseline."""
    text_weight: float = 1.0
    """Weight of the SimCSE loss."""
    temperature: float = 0.05
    """Of the SimCSE loss."""
    grounding_temperature: float = 0.05
    """Of the grounding loss."""
    grounding_weight: float = 0.01
    """The paper's lambda on the mean over both views, as in its code: 0.01 with text, 0.05 on captions alone."""
    image_to_text: bool = False
    """Also contrast each image against the sentences of its batch; the paper does not."""
    anchor_weight: float = 0.0
    """Weight of 1 - cosine to the vector of the untrained start. It keeps a good text space in place while captions
    move towards their images. The paper has none."""
    hard_negative_weight: float = 1.0
    """SimCSE's alpha on the hard negative of the same row; its code's option of that name is ln(alpha)."""
    mlm_weight: float = 0.0
    """Weight of the masked-language-model loss (SimCSE: 0.1 where it is used)."""
    mlm_probability: float = 0.15
    """Share of tokens the masked-language-model loss asks for."""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with linear decay to 0."""

    learning_rate: float = 3e-5
    """Peak rate of the encoder (paper: 3e-5 for BERT, 1e-5 for RoBERTa)."""
    head_learning_rate: float | None = None
    """Peak rate of the heads; None gives them the encoder's."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    epsilon: float = 1e-6
    """Of Adam. The original's class defaults to 1e-6, torch's to 1e-8."""
    warmup_steps: int = 0
    """Steps of linear warm-up of the encoder's rate. New heads have no warm-up: it lets them settle first."""
    clip_norm: float = 1.0
    """Largest norm of the gradient over encoder and heads together."""
    layer_decay: float = 1.0
    """Each layer's peak rate is that of the layer above times this; the embeddings come last. 1 gives all the same."""
    ema_decay: float | None = None
    """Evaluate and export an exponential moving average of the weights with this decay; None the weights themselves."""


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """In which order what is seen."""

    batch_size: int = 64
    """Sentences of a text batch."""
    pair_batch_size: int | None = None
    """Captions of a caption batch; None takes `batch_size`."""
    epochs: int = 3
    """Passes; one has as many steps as there are text and caption batches together."""
    pair_every: int | None = None
    """Each how many steps a caption batch comes; None spreads one pass of captions over one of text, as the paper."""
    max_steps: int | None = None
    """Stop here, before the epochs are over; the learning rate reaches 0 at this step."""
    accumulate: int = 1
    """Batches whose gradients make one optimizer step. Each contrasts only within itself."""
    chunk_size: int | None = None
    """Rows encoded at a time with cached gradients (GradCache, Gao et al. 2021): a batch beyond memory with the exact
    gradient, for a second forward pass. None encodes the batch at once."""


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """How the best step is found, and what the model is scored on."""

    every: int = 125
    """Steps between two evaluations on STS-B dev (paper: 125)."""
    dev: str | None = None
    """Own pairs instead of STS-B dev: `score<TAB>sentence<TAB>sentence` a line. The STS sets are then not scored."""
    captions: str | None = None
    """Own captions for retrieval at the end, instead of Flickr8k test; any form of `data.captions`."""
    features: str | None = None
    """Features of their images."""
    split: str | None = None
    """Image ids to retrieve from, one a line; None takes every captioned image."""
    keep: Literal["best", "last"] = "best"
    """Which state becomes the bundle: the best on STS-B dev (paper), or the last."""
    patience: int | None = None
    """Stop after so many evaluations without a better score. The learning rate is planned for the whole run."""
    blend: float = 1.0
    """Share of the trained encoder in the bundle; the rest is the untrained start, weight by weight (WiSE-FT, Wortsman
    et al. 2022). Below 1 it gives up some of what was learned for what was known before. Heads are kept as trained."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How it is computed."""

    seed: int = 42
    """Of data order, caption choice, dropout and new weights."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16` computes matrix products in bf16 (autocast); weights stay float32. The paper used float32."""
    export_precision: Literal["float32", "float16"] = "float32"
    """Of the weights in the bundle on disk."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, a third more time."""
    tensorboard: bool = False
    """Also write TensorBoard events."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run."""

    model: ModelConfig
    data: DataConfig
    ablation: AblationConfig = field(default_factory=AblationConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dataclasses.asdict(self)
