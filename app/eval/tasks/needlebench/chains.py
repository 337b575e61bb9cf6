"""Stories told in two to five facts, each of which names what the next one is about.

Only the whole chain leads from the name in the question to the answer. All names are invented.
"""

from dataclasses import dataclass
from random import Random

from app.eval import chinese, chronicle


@dataclass(frozen=True)
class Chain:
    """The facts in their order, and the question that needs all of them."""

    facts: tuple[str, ...]
    question: str
    answer: str


@dataclass(frozen=True)
class _Story:
    """Templates over the names {0} to {5}: fact i leads from name i-1 to name i.

    `people` are the names that are people's; the others are places'. `questions[i]` asks for
    name i + 2, and names only {0}. {thing} is one of `things`.
    """

    things: tuple[str, ...]
    people: tuple[int, ...]
    facts: tuple[str, str, str, str, str]
    questions: tuple[str, str, str, str]


_ENGLISH = (
    _Story(
        things=("silver key", "brass compass", "glass flute", "ivory comb"),
        people=(0, 1),
        facts=(
            "{0} gave the {thing} to {1}.",
            "{1} keeps every gift in the village of {2}.",
            "The village of {2} belongs to the county of {3}.",
            "The county of {3} is governed from the castle of {4}.",
            "The castle of {4} stands above the river {5}.",
        ),
        questions=(
            "In which village is the {thing} that {0} gave away?",
            "In which county is the {thing} that {0} gave away?",
            "From which castle is the county governed in which the {thing} is that {0} gave away?",
            "Above which river stands the castle of the county in which the {thing} is that {0} gave away?",
        ),
    ),
    _Story(
        things=("lute", "harp", "cello", "zither"),
        people=(0, 1, 3),
        facts=(
            "{0} learned to play the {thing} from {1}.",
            "{1} had studied at the academy of {2}.",
            "The academy of {2} was founded by {3}.",
            "{3} came from the island of {4}.",
            "The island of {4} lies in the bay of {5}.",
        ),
        questions=(
            "At which academy had the teacher of {0} studied?",
            "Who founded the academy at which the teacher of {0} had studied?",
            "From which island came the founder of the academy at which the teacher of {0} had studied?",
            "In which bay is the island of the founder of the academy where the teacher of {0} had studied?",
        ),
    ),
    _Story(
        things=("throne", "altar", "staircase", "gallery"),
        people=(0, 1, 3),
        facts=(
            "The {thing} in the palace of {0} was carved by {1}.",
            "{1} carved only wood from the estate of {2}.",
            "The estate of {2} was inherited by {3}.",
            "{3} is buried in the abbey of {4}.",
            "The bells of the abbey of {4} were cast in the city of {5}.",
        ),
        questions=(
            "From which estate came the wood of the {thing} in the palace of {0}?",
            "Who inherited the estate from which came the wood of the {thing} in the palace of {0}?",
            "In which abbey lies the heir of the estate whose wood is in the {thing} in the palace of {0}?",
            "In which city were the bells cast of the abbey where the heir lies of the estate"
            " whose wood is in the {thing} in the palace of {0}?",
        ),
    ),
)

_CHINESE = (
    _Story(
        things=("银钥匙", "黄铜罗盘", "玻璃笛子", "象牙梳子"),
        people=(0, 1),
        facts=(
            "{0}把{thing}送给了{1}。",
            "{1}把收到的礼物都放在{2}村。",
            "{2}村属于{3}县。",
            "{3}县由{4}城堡管辖。",
            "{4}城堡建在{5}河的岸上。",
        ),
        questions=(
            "{0}送出的{thing}在哪个村？",
            "{0}送出的{thing}在哪个县？",
            "{0}送出的{thing}所在的县由哪座城堡管辖？",
            "{0}送出的{thing}所在的县由一座城堡管辖，这座城堡建在哪条河的岸上？",
        ),
    ),
    _Story(
        things=("竖琴", "琵琶", "古筝", "长笛"),
        people=(0, 1, 3),
        facts=(
            "{0}的{thing}是跟{1}学的。",
            "{1}年轻时就读于{2}学院。",
            "{2}学院的创办人是{3}。",
            "{3}来自{4}岛。",
            "{4}岛位于{5}湾。",
        ),
        questions=(
            "{0}的{thing}老师就读于哪所学院？",
            "{0}的{thing}老师就读的学院是谁创办的？",
            "{0}的{thing}老师就读的学院，其创办人来自哪个岛？",
            "{0}的{thing}老师就读的学院，其创办人的家乡岛屿位于哪个湾？",
        ),
    ),
    _Story(
        things=("宝座", "屏风", "楼梯", "画廊"),
        people=(0, 1, 3),
        facts=(
            "{0}宫殿里的{thing}由{1}雕刻。",
            "{1}只用{2}庄园的木料。",
            "{2}庄园由{3}继承。",
            "{3}葬在{4}修道院。",
            "{4}修道院的大钟铸造于{5}市。",
        ),
        questions=(
            "{0}宫殿里的{thing}用的是哪座庄园的木料？",
            "{0}宫殿里的{thing}所用木料来自一座庄园，这座庄园由谁继承？",
            "{0}宫殿里的{thing}所用木料来自一座庄园，庄园的继承人葬在哪座修道院？",
            "{0}宫殿里的{thing}所用木料来自一座庄园，庄园的继承人葬在一座修道院，修道院的大钟铸造于哪个市？",
        ),
    ),
)


def invent_chain(language: str, rng: Random, facts: int) -> Chain:
    """A chain of 2 to 5 facts in "en" or "zh". No name is a part of another or of the rest of the text."""
    story = rng.choice({"en": _ENGLISH, "zh": _CHINESE}[language])
    names = _names(language, rng, story.people)
    thing = rng.choice(story.things)
    return Chain(
        facts=tuple(fact.format(*names, thing=thing) for fact in story.facts[:facts]),
        question=story.questions[facts - 2].format(*names, thing=thing),
        answer=names[facts],
    )


def _names(language: str, rng: Random, people: tuple[int, ...]) -> list[str]:
    while True:
        names = [_name(language, rng, index in people) for index in range(6)]
        words = [word for name in names for word in name.replace("·", " ").split()]
        if not any(a in b for i, a in enumerate(words) for j, b in enumerate(words) if i != j):
            return names


def _name(language: str, rng: Random, person: bool) -> str:
    if language == "zh":
        return chinese.invent_name(rng) if person else chinese.invent_word(rng, 3)
    name = chronicle.invent_name(rng)
    return name if person else name.split()[0]
