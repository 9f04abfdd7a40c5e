"""What int8 and uint8 of a checkpoint are calibrated on: a fixed set of texts of many kinds, and the ranges they span.

The texts are a part of the release and not of a checkpoint, so that every checkpoint has ranges, also one that was made
elsewhere, and has the same ones wherever it is served.

A range goes from minus a bound to the bound, the same for every dimension. Ranges of each dimension's own, from its
lowest to its highest number, would spend the codes a little better, but then a dot product or a distance of codes
counts some dimensions more than others, and that is how codes are compared: of Wikipedia's sentences such codes find
0.81 of the ten nearest by dot product, and those of one range 0.99.
"""

import hashlib
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.quantize import Ranges, Vectors

_TOPICS = """
    dog | ball | park | run after
    kitchen | soup | cook | stir
    bank | interest rate | minister | raise
    football | goal | team | win
    court | law | judge | appeal against
    hospital | vaccine | doctor | prescribe
    planet | telescope | orbit | observe
    guitar | song | concert | play
    church | bishop | village | rebuild
    army | battle | general | retreat from
    software | error | server | restart
    password | account | email | reset
    mountain | river | lake | climb over
    train | station | ticket | miss
    airplane | pilot | storm | land in
    ocean | whale | fishing boat | dive into
    election | party | president | vote for
    painting | museum | artist | admire
    novel | author | chapter | publish
    protein | cell | gene | study
    molecule | acid | reaction | heat
    theorem | proof | number | solve
    student | exam | teacher | study for
    company | market share | investor | sell
    car | engine | race | repair
    house | garden | roof | paint
    wedding | dress | bride | dance at
    baby | toy | mother | smile at
    bird | nest | forest | fly over
    horse | saddle | farm | ride
    wheat | harvest | drought | plant
    film | actor | director | watch
    television | episode | season | cancel
    king | castle | crown | inherit
    desert | camel | sand | cross
    snow | ski | winter | slide down
    earthquake | bridge | city | survive
    battery | solar panel | electricity | charge
    oil | pipeline | refinery | export
    shop | price | customer | pay for
    phone | screen | camera | drop
    restaurant | waiter | menu | complain about
    police | thief | street | arrest
    union | strike | factory | vote on
    island | beach | hotel | visit
    god | temple | prayer | worship
    grammar | language | word | translate
    muscle | injury | training | recover from
    insect | flower | pollen | feed on
    dinosaur | fossil | rock | dig up
    chess | queen | opponent | lose to
    robot | algorithm | data | learn from
    newspaper | editor | headline | write
    bicycle | helmet | road | ride along
    coffee | cup | morning | drink
    swimmer | pool | medal | dive into
    ship | harbour | captain | sail from
    tax | budget | government | lower
    snake | venom | bite | fear
    clock | hour | century | count
    dream | fear | happiness | feel
    prison | guard | escape | sentence
    ring | gold | jeweller | steal
    rain | cloud | umbrella | wait for
"""
_FRAMES = (
    "{a}",
    "The {a} and the {b} are near the {c}.",
    "How do I {do} the {b}?",
    "Nobody wanted to {do} the {c} because of the {a}, which had been there for years.",
    "{b} and {c}: a short history",
    "A man and a woman {do} a {b} with their {a} in the afternoon.",
    "In 1987 the first {a} with a {c} was shown, and 24,000 people came to see how it would {do} the {b}.",
    "No, I do not think that this {c} is good. The {b} was too small, but I liked the {a}!",
)
_OTHERS = (
    "ok",
    "?",
    "42",
    "3.14159 2.71828 1.41421",
    "2024-02-29T12:00:00Z",
    "https://example.org/a/b?c=d",
    "def add(a, b):\n    return a + b",
    "SELECT name, price FROM products WHERE price < 10 ORDER BY name;",
    '{"id": 7, "name": "lamp", "tags": ["home", "light"]}',
    "ERROR connection refused after 3 attempts",
    "Der Zug nach Hamburg hat heute leider zwanzig Minuten Verspätung.",
    "Le chat dort sur le canapé pendant que la pluie tombe.",
    "Los niños juegan al fútbol en la plaza cada tarde.",
    "O mercado abre às oito e fecha ao meio-dia.",
    "Il treno parte dal binario quattro fra dieci minuti.",
    "Сегодня утром в городе выпал первый снег.",
    "今天下午我们在图书馆学习数学。",
    "駅の前に新しい本屋ができました。",
    "오늘은 날씨가 맑고 바람이 시원하다.",
    "يشرب الرجل القهوة في الصباح قبل العمل.",
    "बच्चे नदी के किनारे पतंग उड़ा रहे हैं।",
    "Pies biegnie za piłką po mokrej trawie.",
    "Köpek parkta topun peşinden koşuyor.",
    "Hunden springer över den våta gräsmattan.",
)
_GRID = 32  # bounds are whole numbers of this part of a unit


def calibration_texts() -> list[str]:
    """The texts, always the same."""
    topics = [[part.strip() for part in line.split("|")] for line in _TOPICS.strip().splitlines()]
    made = [frame.format(a=a, b=b, c=c, do=do) for (a, b, c, do), frame in product(topics, _FRAMES)]
    return [*made, *_OTHERS]


def texts_digest() -> str:
    """Hex SHA-256 of the texts: vectors that were kept are of these texts, or of another release's."""
    return hashlib.sha256("\0".join(calibration_texts()).encode()).hexdigest()


def bounds_of(vectors: Vectors) -> NDArray[np.float64]:
    """(width,) the bound for every number of dimensions, from the first alone to all of them.

    It is the largest number, without its sign, of any of the vectors after the cut and the scaling to unit length,
    rounded up to a coarse grid: machines whose vectors differ in the last digits have the same ranges.

    Args:
        vectors: (texts, width) of the texts, of any length.
    """
    numbers = np.abs(vectors.astype(np.float64))
    lengths = np.sqrt(np.cumsum(numbers**2, axis=1))  # (texts, width) after each cut
    largest = np.maximum.accumulate(numbers, axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    bounds: NDArray[np.float64] = np.ceil(np.minimum(largest.max(axis=0), 1) * _GRID) / _GRID
    return bounds


def ranges_within(bound: float) -> Ranges:
    """From minus the bound to the bound."""
    return Ranges(-bound, bound)


def ranges_of(vectors: Vectors, dimensions: int) -> Ranges:
    """Of vectors that are cut to `dimensions`, by the vectors (texts, width) of the texts."""
    return ranges_within(float(bounds_of(vectors)[dimensions - 1]))
