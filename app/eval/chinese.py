"""A seeded grammar that writes neutral Chinese prose, and names to hide in it.

The Chinese counterpart of `app.eval.chronicle`: life in a small town, told without a
digit and without the invented names, so that neither can be met by chance. Invented
names sound like transliterations ("莫兰·塔维") and share no surname with the townspeople
of the prose. Everything is a function of the `random.Random` passed in.
"""

from random import Random

_SURNAMES = "张 李 王 赵 陈 周 吴 郑 孙 何 高 许 冯 梁 宋 唐 郭 曹 袁 蒋".split()
_TRADES = (
    "木匠 铁匠 裁缝 船夫 渔夫 货郎 郎中 石匠 磨坊主 猎户 "
    "厨子 账房 画师 教书先生 更夫 花匠 车夫 陶匠 药师 邮差"
).split()

_PLACES = (
    "渡口 集市 石桥 钟楼 书院 驿站 菜园 果园 磨坊 河滩 广场 祠堂 山谷 松林 灯塔 客栈 戏台 作坊 城门 水井"
).split()
_MOODS = "很安静 很热闹 很冷清 十分宽敞 有些潮湿 格外明亮 渐渐暗了下来 收拾得很整洁 空无一人 挤满了人".split()
_THINGS = (
    "一条小船 一辆马车 一盏油灯 一封书信 一口旧钟 一只竹篮 一扇木窗 一块门板 一张地图 一本账簿 "
    "一只铜铃 一捆绳子 一个车轮 一把椅子 一件棉袄 一个木箱 一面旗子 一面皮鼓 一面镜子 一个瓷碗"
).split()
_DONE = (
    "修好了 买下了 卖掉了 找到了 弄丢了 擦干净了 搬走了 借走了 画下了 数清了 送来了 忘记了 带回了 看中了"
).split()
_TIMES = (
    "清晨 正午 傍晚 深夜里 那年冬天 开春以后 雨停之后 集市散了以后 第三天 整个夏天 每逢初一 又过了几天 "
    "秋收前后 天快亮时 大雪封山的时候 庙会前一天"
).split()
_TOPICS = "今年的收成 河水的涨落 远方的亲戚 新修的路 布匹的价钱 过冬的柴火 昨夜的大风 孩子们的功课".split()
_SIDES = "东边 西边 南边 北边 后面 对面".split()
_DISTANCES = "半里 一里 两里 三里 五里 十里".split()
_SHORT = "天亮了。 下雨了。 风停了。 雪化了。 灯亮了。 夜深了。".split()

_SYLLABLES = (
    "莫 兰 塔 维 卡 洛 佩 诺 格 萨 林 德 尔 米 贝 伦 奥 斯 蒂 凡 科 鲁 瓦 纳 吉 特 罗 亚 本 希 波 艾".split()
)


def filler_sentence(rng: Random) -> str:
    """A sentence of neutral prose, its full stop included."""
    place, other = rng.sample(_PLACES, 2)
    thing, second = rng.sample(_THINGS, 2)
    time, done = rng.choice(_TIMES), rng.choice(_DONE)
    person, neighbour = _townsman(rng), _townsman(rng)
    return rng.choice(
        (
            f"{time}，{place}{rng.choice(_MOODS)}。",
            f"{time}，{person}在{place}{done}{thing}。",
            f"{person}从{place}走到{other}，一路上没有说话。",
            f"谁也不记得是谁{done}{thing}。",
            f"{place}旁边放着{thing}和{second}。",
            f"{place}在{other}的{rng.choice(_SIDES)}，相隔{rng.choice(_DISTANCES)}路。",
            f"{time}，{person}和{neighbour}在{place}聊起了{rng.choice(_TOPICS)}。",
            f"{person}{done}{thing}，{neighbour}却并不知道。",
            rng.choice(_SHORT),
        )
    )


def _townsman(rng: Random) -> str:
    return rng.choice(_SURNAMES) + rng.choice(_TRADES)


def invent_word(rng: Random, syllables: int) -> str:
    """An invented word of so many characters, for a place or half of a name."""
    return "".join(rng.sample(_SYLLABLES, syllables))


def invent_name(rng: Random) -> str:
    """A two-part name that the prose never mentions."""
    return f"{invent_word(rng, 2)}·{invent_word(rng, 2)}"
