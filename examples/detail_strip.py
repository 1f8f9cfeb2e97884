"""detail-strip: the long page of a cashmere jumper, text on knit, linen, wood, stripes, checks and lights."""

from __future__ import annotations

import numpy as np

from examples.canvas import Canvas, Floats, curve, ellipse, linear, rectangle, sampled
from examples.garment import jumper
from examples.lettering import Lettering, Look
from examples.sample import Sample, finish
from examples.strip_grounds import KNIT, OAT, close_up, linen, patterns, wood
from examples.textures import evening, knit

WIDTH, HEIGHT = 790, 6000
CREAM, INK, CAMEL, SOFT = "#faf6ef", "#3b2a1e", "#a8733f", "#80705f"
DYES = (
    ("#4a1f14", "#b0583a", "#e39a76"),
    ("#2f3d2c", "#7d9470", "#c3d3b4"),
    ("#1d2a3a", "#4f6c8c", "#a3bcd6"),
)

REASONS = (
    (
        "精选小山羊绒",
        "베이비 캐시미어 엄선",
        "每根绒纤维不足十六微米，轻盈如云，贴身穿也不觉得扎，从清晨一直暖到夜晚。",
        "한 올이 16마이크론도 되지 않아 구름처럼 가볍고, 맨살에도 따갑지 않아 아침부터 밤까지 포근합니다.",
    ),
    (
        "十二针细密织法",
        "12게이지 촘촘한 편직",
        "针脚紧密均匀，牢牢锁住体温，挡住冷风，多次洗涤之后依然挺括，不松不垮。",
        "고르고 촘촘한 짜임이 체온을 지키고 찬 바람을 막아 주며, 여러 번 세탁해도 늘어나지 않습니다.",
    ),
    (
        "植物染料低温染色",
        "식물성 염료 저온 염색",
        "取色于草木，温和不刺激，颜色柔和耐看，经过五十次水洗测试，依然不易褪色。",
        "풀과 나무에서 얻은 색이라 자극이 적고 은은하며, 50회 세탁 테스트를 거쳐 쉽게 바래지 않습니다.",
    ),
)
SIZES = (
    ("尺码", "衣长", "胸围", "袖长"),
    ("S", "62", "98", "56"),
    ("M", "64", "102", "57"),
    ("L", "66", "106", "58"),
    ("XL", "68", "110", "59"),
)
MEASURES = {"尺码": "사이즈", "衣长": "총장", "胸围": "가슴둘레", "袖长": "소매길이"}


def draw() -> Sample:
    """Draw it, 790 × 6000."""
    canvas, text = Canvas(WIDTH, HEIGHT, CREAM), Lettering()
    _hero(canvas, text)
    close_up(canvas, text, 1040)
    _reasons(canvas, text, 1740)
    linen(canvas, text, 2860)
    wood(canvas, text, 3540)
    patterns(canvas, text, 4340)
    _sizes(canvas, text, 5060)
    _care(canvas, text, 5580)
    return finish(canvas, text)


def _hero(canvas: Canvas, text: Lettering) -> None:
    canvas.paste(evening(WIDTH, 1040, 21), 0, 0)
    canvas.fill(rectangle(-300, -300, WIDTH + 300, 330), "#10171d", opacity=0.5, blur=90)
    text.line(395, 62, "MUHE STUDIO", Look(24, "#f3e3c4", 500, tracking=8), anchor="m")
    look = Look(68, "#fff8ea", 700, tracking=4, shadow=(0, 4, 7.0, 0.6, "#0c0704"))
    text.line(397, 118, "一件毛衣", look, "스웨터 한 벌로", anchor="m")
    text.line(397, 206, "温暖整个冬天", look, "따뜻한 겨울", anchor="m")
    text.translate("一件毛衣温暖整个冬天", "스웨터 한 벌로 따뜻한 겨울")
    canvas.fill(rectangle(365, 306, 425, 309), "#e7c48f")
    text.line(
        395,
        328,
        "山羊绒圆领套头衫 · 秋冬新品",
        Look(27, "#f3e3c4", 400),
        "캐시미어 라운드넥 니트 · F/W 신상",
        anchor="m",
    )
    canvas.fill(ellipse(395, 955, 300, 26), "#0d0805", opacity=0.55, blur=22)
    jumper(canvas, 395, 420, 1.2)


def _reasons(canvas: Canvas, text: Lettering, top: int) -> None:
    text.line(
        395, top + 78, "为什么选择它", Look(50, INK, 800, tracking=2), "이 스웨터를 고르는 이유", anchor="m"
    )
    text.line(395, top + 150, "WHY YOU WILL LOVE IT", Look(20, CAMEL, 500, tracking=5), anchor="m")
    swatches: tuple[Floats, ...] = (
        knit(240, 240, 24, OAT, 41),
        knit(240, 240, 11, KNIT, 42),
        np.concatenate([knit(80, 240, 16, dye, 43 + i) for i, dye in enumerate(DYES)], 1),
    )
    for i, ((title, title_korean, body, body_korean), swatch) in enumerate(
        zip(REASONS, swatches, strict=True)
    ):
        y = top + 224 + i * 290
        on_left = i % 2 == 0
        disc = 186 if on_left else 604
        column = 342 if on_left else 60
        canvas.shadow(ellipse(disc, y + 120, 118), 4, 9, 12, 0.22)
        canvas.fill(ellipse(disc, y + 120, 118), sampled(swatch, disc - 120, y))
        canvas.stroke(ellipse(disc, y + 120, 118), 5, "#ffffff", closed=True)
        text.line(column, y + 8, f"0{i + 1}", Look(46, "#d8b98f", 800))
        text.line(column, y + 66, title, Look(34, INK, 700), title_korean)
        canvas.fill(rectangle(column, y + 120, column + 46, y + 123), CAMEL)
        text.paragraph(column, y + 140, body, Look(24, SOFT, 400), body_korean, room=386, leading=1.6)


def _sizes(canvas: Canvas, text: Lettering, top: int) -> None:
    text.line(60, top + 64, "尺码参考", Look(42, INK, 800), "사이즈 가이드")
    text.line(730, top + 82, "单位：厘米", Look(24, SOFT, 400), "단위: cm", anchor="r")
    canvas.fill(rectangle(60, top + 138, 730, top + 194), INK)
    for r, row in enumerate(SIZES):
        y = top + 138 + r * 56
        for c, cell in enumerate(row):
            look = Look(25, CREAM if r == 0 else INK, 600 if r == 0 or c == 0 else 400)
            text.line(144 + c * 167, y + 15, cell, look, MEASURES.get(cell), anchor="m")
        canvas.fill(rectangle(60, y + 55, 730, y + 56), "#dccfbd")
    text.line(
        60,
        top + 438,
        "手工平铺测量，误差一至三厘米属正常范围。",
        Look(23, SOFT, 400),
        "측정 방법에 따라 1~3cm 오차가 있을 수 있습니다.",
    )


def _care(canvas: Canvas, text: Lettering, top: int) -> None:
    canvas.fill(rectangle(0, top, WIDTH, HEIGHT), linear((0, top), (790, HEIGHT), "#4a3323", "#2b1c12"))
    cares = (
        ("冷水手洗", "찬물 손세탁"),
        ("平铺晾干", "뉘어서 건조"),
        ("低温熨烫", "저온 다림질"),
        ("不可漂白", "표백 금지"),
    )
    for i, (chinese, korean) in enumerate(cares):
        x = 134 + i * 174
        canvas.stroke(ellipse(x, top + 104, 44), 3, "#e7c48f", closed=True)
        _icon(canvas, i, x, top + 104)
        text.line(x, top + 170, chinese, Look(26, "#f3e3c4", 500), korean, anchor="m")
    canvas.fill(rectangle(60, top + 240, 730, top + 241), "#e7c48f", opacity=0.45)
    text.line(
        395,
        top + 278,
        "愿你被这个冬天温柔以待",
        Look(36, "#fff3dc", 700, tracking=2),
        "당신의 겨울이 다정하기를",
        anchor="m",
    )
    text.line(395, top + 348, "MUHE STUDIO · SINCE 2012", Look(20, "#cdb38c", 400, tracking=3), anchor="m")


def _icon(canvas: Canvas, kind: int, x: float, y: float) -> None:
    gold = "#e7c48f"

    def pen(*points: tuple[float, float], closed: bool = False) -> None:
        canvas.stroke(np.array(points, np.float32) + np.array((x, y), np.float32), 3, gold, closed=closed)

    if kind == 0:
        pen((-24, -10), (-17, 18), (17, 18), (24, -10))
        canvas.stroke(
            curve(
                [(x - 24, y - 4), (x - 12, y - 9), (x, y - 4), (x + 12, y - 9), (x + 24, y - 4)], closed=False
            ),
            3,
            gold,
        )
    elif kind == 1:
        pen((-22, -20), (22, -20), (22, 20), (-22, 20), closed=True)
        pen((-11, 0), (11, 0))
    elif kind == 2:
        pen((-24, 14), (24, 14), (18, -12), (-8, -12))
        pen((-24, 14), (-18, 2), (20, 2))
    else:
        pen((0, -22), (25, 18), (-25, 18), closed=True)
        pen((-18, -16), (18, 24))
        pen((18, -16), (-18, 24))
