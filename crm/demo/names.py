"""Chinese names of people and companies, made up syllable by syllable."""

from __future__ import annotations

import numpy as np

from crm.demo.working_time import Ints

_SURNAMES = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹")
_GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉萍红文辉力建宁婷宇浩晨雪")
_PLACES = (
    "上海",
    "苏州",
    "杭州",
    "深圳",
    "广州",
    "北京",
    "天津",
    "成都",
    "重庆",
    "武汉",
    "西安",
    "沈阳",
    "长沙",
    "青岛",
)
_SYLLABLES = tuple("恒瑞华信盛达远航鼎新泰和中科卓越金石安联海川明德嘉禾启辰云图宏景博润")
_TRADES = {
    "制造": ("机械", "精密制造", "装备"),
    "软件": ("软件", "信息技术", "数据"),
    "零售": ("商贸", "零售", "百货"),
    "医疗": ("医疗器械", "医药", "健康"),
    "教育": ("教育", "培训", "学院"),
    "金融": ("金融服务", "保险经纪", "融资租赁"),
    "政务": ("数字政务", "公共资源", "城市运营"),
    "能源": ("能源", "电力", "新能源"),
    "物流": ("物流", "供应链", "货运"),
}
_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def make_people(rng: np.random.Generator, n: int) -> list[str]:
    """Names of n people."""
    family = rng.integers(len(_SURNAMES), size=n)
    first, second = rng.integers(len(_GIVEN), size=(2, n))
    short = rng.random(n) < 0.25
    return [
        _SURNAMES[f] + _GIVEN[a] + ("" if s else _GIVEN[b])
        for f, a, b, s in zip(family, first, second, short, strict=True)
    ]


def make_companies(rng: np.random.Generator, industries: list[str]) -> list[str]:
    """One company name per industry given."""
    n = len(industries)
    place, one, two, three = (rng.integers(k, size=n) for k in (len(_PLACES), *(len(_SYLLABLES),) * 3))
    trade = rng.integers(3, size=n)
    return [
        f"{_PLACES[p]}{_SYLLABLES[a]}{_SYLLABLES[b]}{_SYLLABLES[c]}{_TRADES[industry][t]}有限公司"
        for p, a, b, c, t, industry in zip(place, one, two, three, trade, industries, strict=True)
    ]


def make_codes(rng: np.random.Generator, numbers: Ints) -> list[str]:
    """Unified social credit codes with a right check character; `numbers` keeps them apart.

    Examples
    --------
    >>> codes = make_codes(np.random.default_rng(1), np.array([1, 2]))
    >>> len(codes[0]), codes[0] != codes[1]
    (18, True)
    """
    area = rng.integers(110000, 659000, size=len(numbers))
    body = [f"91{a}{n:09d}" for a, n in zip(area.tolist(), numbers.tolist(), strict=True)]
    return [code + check_character(code) for code in body]


def check_character(code: str) -> str:
    """The 18th character of a unified social credit code (GB 32100-2015).

    Examples
    --------
    >>> check_character("91350100M000100Y4")
    '3'
    """
    total = sum(_CODE.index(letter) * weight for letter, weight in zip(code, _WEIGHTS, strict=True))
    return _CODE[(31 - total % 31) % 31]
