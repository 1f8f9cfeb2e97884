"""The sections of the detail strip whose text stands on cloth and wood."""

from __future__ import annotations

import numpy as np

from examples.canvas import Canvas, curve, ellipse, linear, rectangle, sampled
from examples.lettering import Lettering, Look
from examples.products import mug
from examples.textures import knit, planks, stripes, tartan, weave

WIDTH = 790
CREAM, INK, CAMEL, SOFT = "#faf6ef", "#3b2a1e", "#a8733f", "#80705f"
KNIT = ("#4a3220", "#a97c4d", "#e2bf8d")
OAT = ("#8d7f6b", "#d8ccb6", "#f7efdf")
LINEN = ("#a3957b", "#dcd0b7", "#f8f1e2")
WOOD = ("#2c1a0f", "#7f5232", "#b98a5c")
CHECK = ("#b08a5b", "#3d4f45", "#27332e", "#f3e3bf")


def close_up(canvas: Canvas, text: Lettering, top: int) -> None:
    """Text on a knit."""
    canvas.paste(knit(WIDTH, 700, 34, KNIT, 31), 0, top)
    canvas.fill(
        rectangle(0, top, WIDTH, top + 700),
        linear((0, top), (790, top + 700), "#ffe9c4", "#5a3a1e", "#20110a"),
        opacity=0.22,
    )
    look = Look(76, "#ffffff", 900, shadow=(0, 4, 6.0, 0.55, "#2a1808"))
    text.line(60, top + 84, "触感，一摸便知", look, "만져보면 압니다")
    text.paragraph(
        62,
        top + 206,
        ["选用内蒙古阿拉善山羊绒，", "每一寸都蓬松、柔软、细腻。"],
        Look(31, "#fffaf0", 600, shadow=(0, 2, 4.0, 0.7, "#2a1808")),
        ["내몽골 알라산 캐시미어를 엄선해", "한 올 한 올 포근하고 부드럽습니다."],
        leading=1.55,
    )
    canvas.shadow(rectangle(62, top + 566, 330, top + 636, 6), 2, 5, 8, 0.4)
    canvas.fill(rectangle(62, top + 566, 330, top + 636, 6), "#8c2f2b")
    text.line(196, top + 582, "100%山羊绒", Look(34, "#ffffff", 700), "캐시미어 100%", anchor="m")


def linen(canvas: Canvas, text: Lettering, top: int) -> None:
    """Dark text and a sewn-on label on linen."""
    canvas.paste(weave(WIDTH, 680, 5.5, LINEN, 51), 0, top)
    canvas.fill(rectangle(0, top, WIDTH, top + 10), "#3b2a1e", opacity=0.25, blur=6)
    text.line(
        395, top + 80, "好羊绒，越穿越柔软", Look(54, "#4a3423", 800), "입을수록 더 부드럽게", anchor="m"
    )
    text.line(
        395,
        top + 162,
        "不起球 · 不变形 · 无静电",
        Look(28, "#6f5338", 500),
        "보풀 없이 · 변형 없이 · 정전기 없이",
        anchor="m",
    )
    label = rectangle(225, top + 262, 565, top + 542, 4)
    canvas.shadow(label, 3, 8, 9, 0.35, "#3b2a1e")
    canvas.fill(label, linear((225, top + 262), (565, top + 542), "#fffdf8", "#f1e8d8"))
    for x in (238, 552):
        for y in range(top + 276, top + 530, 14):
            canvas.fill(rectangle(x - 1, y, x + 1, y + 8), "#b98d5d")
    text.line(397, top + 296, "MUHE", Look(54, INK, 800, tracking=10), anchor="m")
    canvas.fill(rectangle(345, top + 372, 445, top + 374), CAMEL)
    text.line(395, top + 392, "成分：山羊绒100%", Look(26, INK, 500), "소재: 캐시미어 100%", anchor="m")
    text.line(395, top + 434, "产地：中国内蒙古", Look(26, INK, 500), "원산지: 중국 내몽골", anchor="m")
    text.line(395, top + 482, "STYLE NO. MH-2608", Look(20, SOFT, 400, tracking=2), anchor="m")
    text.line(
        395,
        top + 584,
        "二十四道工序，只为一件安心的毛衣",
        Look(30, "#4a3423", 600),
        "안심하고 입도록, 스물네 번의 손길",
        anchor="m",
    )


def wood(canvas: Canvas, text: Lettering, top: int) -> None:
    """Text on boards, a blanket and a mug of tea."""
    canvas.paste(planks(WIDTH, 800, 133, WOOD, 61), 0, top)
    canvas.fill(ellipse(250, top + 200, 620), "#ffd9a0", opacity=0.20, blur=120)
    canvas.fill(ellipse(780, top + 800, 330), "#0e0703", opacity=0.45, blur=110)
    cream = "#fff3dc"
    shadow = (0, 3, 5.0, 0.65, "#140a04")
    text.line(60, top + 76, "慢下来，享受冬日", Look(58, cream, 800, shadow=shadow), "천천히, 겨울을 누리다")
    text.paragraph(
        62,
        top + 168,
        ["一杯热茶，一本旧书，", "一件穿了就不想脱的毛衣。"],
        Look(29, cream, 500, shadow=shadow),
        ["따뜻한 차 한 잔, 오래된 책 한 권,", "그리고 벗고 싶지 않은 스웨터 한 벌."],
        leading=1.6,
    )
    scarf = curve(
        [
            (-60, top + 560),
            (90, top + 470),
            (250, top + 500),
            (380, top + 610),
            (400, top + 720),
            (330, top + 860),
            (-60, top + 860),
        ]
    )
    cloth = knit(520, 460, 20, OAT, 62)
    canvas.shadow(scarf, 10, 14, 14, 0.5)
    canvas.fill(scarf, sampled(cloth, -60, top + 440))
    canvas.stroke(scarf, 26, "#3a2a18", closed=True, opacity=0.35, blur=12, clip=scarf)
    for inset in (60, 150, 250):
        fold = (scarf - (-60, top + 860)) * (1 - inset / 420) + (-60, top + 860)
        canvas.stroke(fold[:80].astype(np.float32), 16, "#3a2a18", opacity=0.22, blur=12, clip=scarf)
    canvas.fill(ellipse(600, top + 610, 152, 120, 25), "#0b0502", opacity=0.55, blur=20)
    picture, alpha = mug(360, 340)
    canvas.paste(picture, 400, top + 400, alpha)
    for x, sway in ((512, 16), (558, 22), (604, 14)):
        steam = curve(
            [(x, top + 500), (x + sway, top + 450), (x - sway, top + 390), (x + sway, top + 320)],
            closed=False,
        )
        canvas.stroke(steam, 13, "#fff6e6", opacity=0.26, blur=9)


def patterns(canvas: Canvas, text: Lettering, top: int) -> None:
    """Outlined text on checks and stripes."""
    canvas.paste(tartan(395, 720, 150, CHECK, 71), 0, top)
    canvas.paste(stripes(395, 720, 54, "#f6f1e6", "#2e4468", 72), 395, top)
    canvas.fill(rectangle(391, top, 399, top + 720), "#ffffff")
    white = (5, "#26322c")
    text.line(
        197,
        top + 70,
        "学院格纹",
        Look(56, "#ffffff", 800, outline=white, shadow=(0, 4, 5.0, 0.4, "#101815")),
        "프레피 체크",
        anchor="m",
    )
    text.line(
        197,
        top + 148,
        "复古百搭",
        Look(32, "#fff6dd", 700, outline=(4, "#26322c")),
        "빈티지 데일리룩",
        anchor="m",
    )
    text.line(
        594,
        top + 70,
        "海军条纹",
        Look(56, "#c0392b", 800, outline=(6, "#ffffff")),
        "마린 스트라이프",
        anchor="m",
    )
    text.line(
        594,
        top + 148,
        "清爽减龄",
        Look(32, "#c0392b", 700, outline=(5, "#ffffff")),
        "산뜻한 동안 코디",
        anchor="m",
    )
    for x, name, korean, colour in (
        (197, "驼色格", "카멜 체크", "#3d4f45"),
        (594, "藏青条", "네이비 스트라이프", "#2e4468"),
    ):
        tag = rectangle(x - 112, top + 600, x + 112, top + 656, 28)
        canvas.shadow(tag, 0, 4, 6, 0.35)
        canvas.fill(tag, "#fffdf6")
        text.line(x, top + 611, name, Look(28, colour, 700), korean, anchor="m")
