"""What every client embeds."""

ONE = "A dog runs on the beach."
MANY = ["A dog runs on the beach.", "Rates rise by half a percent.", "Two people wash a car."]
FOREIGN = [
    "Ein Hund läuft über den Strand.",
    "一只狗在沙滩上奔跑",
    "Собака бежит по пляжу",
    "كلب يركض على الشاطئ",
    "🐕 ça va",
]
LONG = "a dog runs on the beach " * 300
"""More tokens than the model reads, and fewer characters than the service takes."""
ALL = [*MANY, *FOREIGN, LONG]
EMPTY = ""
NO_CONTENT = "the text has no content"
"""What the service says of an empty text, in the words that have to reach the caller."""
