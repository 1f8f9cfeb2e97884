"""promotion: the main picture of earphones on offer, gradients, an outlined headline, a price burst."""

from __future__ import annotations

import numpy as np

from examples.canvas import Canvas, burst, curve, ellipse, linear, radial, rectangle
from examples.lettering import Lettering, Look
from examples.products import earphones
from examples.sample import Sample, finish

POINTS = (
    ("42dB深度降噪", "42dB 소음 차단"),
    ("36小时超长续航", "최대 36시간 재생"),
    ("IPX5级防汗防水", "IPX5 생활 방수"),
)


def draw() -> Sample:
    """Draw it, 800 × 1000."""
    canvas = Canvas(800, 1000, linear((120, 0), (680, 1000), "#3a17b0", "#6a2bdc", "#c140c9", "#ff7f7c"))
    text = Lettering()
    _ground(canvas)
    _headline(canvas, text)
    _points(canvas, text)
    _product(canvas)
    _price(canvas, text)
    _foot(canvas, text)
    canvas.grain(1.2, seed=2)
    return finish(canvas, text)


def _ground(canvas: Canvas) -> None:
    canvas.fill(
        ellipse(470, 590, 460),
        radial((470, 590), 460, "#ffb3e0", "#b34be0", "#6a2bdc"),
        opacity=0.38,
        blur=40,
    )
    for radius, opacity in ((200, 0.34), (262, 0.24), (328, 0.16), (398, 0.10)):
        canvas.stroke(ellipse(470, 586, radius), 2.5, "#ffffff", closed=True, opacity=opacity)
    rng = np.random.default_rng(7)
    for x, y, r in zip(
        rng.uniform(0, 800, 40), rng.uniform(0, 900, 40), rng.uniform(1.5, 4.5, 40), strict=True
    ):
        canvas.fill(ellipse(x, y, r), "#ffffff", opacity=float(rng.uniform(0.15, 0.55)), blur=float(r) / 3)


def _headline(canvas: Canvas, text: Lettering) -> None:
    canvas.fill(rectangle(56, 48, 204, 90, 21), linear((56, 0), (204, 0), "#ff2d55", "#e3122f"))
    text.line(130, 56, "年终特惠", Look(25, "#ffffff", 700), "연말 특가", anchor="m")
    text.line(222, 55, "HUAYIN Air X5", Look(26, "#ffffff", 600, tracking=1))
    shadow = (5, 8, 5.0, 0.55, "#16004f")
    gold = linear((0, 112), (0, 234), "#fffbe6", "#ffe14d", "#ffb400")
    text.line(
        50, 104, "降噪再升级", Look(128, gold, 900, outline=(7, "#2a0a86"), shadow=shadow), "소음 차단의 진화"
    )
    text.line(
        56,
        258,
        "听见世界安静的一面",
        Look(44, "#ffffff", 700, outline=(3, "#4a18b4"), shadow=(3, 4, 3.0, 0.45, "#16004f")),
        "세상의 고요를 듣다",
    )


def _points(canvas: Canvas, text: Lettering) -> None:
    for i, (chinese, korean) in enumerate(POINTS):
        y = 352 + i * 62
        canvas.fill(ellipse(74, y + 16, 17), "#ffd83d")
        canvas.stroke(np.array([(66, y + 16), (72, y + 22), (82, y + 10)], np.float32), 4, "#4a18b4")
        text.line(104, y, chinese, Look(28, "#ffffff", 600), korean)


def _product(canvas: Canvas) -> None:
    canvas.fill(ellipse(500, 800, 200, 16), "#3a0a6e", opacity=0.55, blur=16)
    picture, alpha = earphones(500, 500)
    canvas.paste(picture, 250, 330, alpha)


def _price(canvas: Canvas, text: Lettering) -> None:
    star = burst(166, 716, 134, 114, 22)
    canvas.shadow(star, 4, 8, 8, 0.4, "#2a0050")
    canvas.fill(star, radial((140, 680), 170, "#fff27a", "#ffd21f", "#ffb300"))
    canvas.stroke(ellipse(166, 716, 102), 2, "#e2570b", closed=True, opacity=0.7)
    text.line(166, 640, "到手价", Look(32, "#c4161c", 700), "최종 혜택가", anchor="m")
    text.line(160, 672, "¥199", Look(76, "#d5101f", 900, outline=(3, "#fff8d8")), anchor="m")
    text.line(166, 766, "立省100元", Look(26, "#8a2b06", 600), "100위안 할인", anchor="m")


def _foot(canvas: Canvas, text: Lettering) -> None:
    band = curve([(-40, 880), (200, 866), (420, 878), (640, 862), (840, 872), (840, 1040), (-40, 1040)])
    canvas.fill(band, linear((0, 860), (800, 1000), "#3b0f9e", "#2a0a78"))
    text.line(
        56,
        900,
        "前1000名下单，加赠硅胶保护套",
        Look(34, "#ffffff", 700),
        "선착순 1,000명, 실리콘 케이스 증정",
    )
    button = rectangle(588, 906, 748, 964, 29)
    canvas.shadow(button, 0, 5, 8, 0.45)
    canvas.fill(button, linear((588, 906), (748, 964), "#ff9a3d", "#ff3d5a"))
    text.line(668, 918, "立即抢购", Look(30, "#ffffff", 800), "바로 구매", anchor="m")
    text.line(
        56,
        950,
        "7天无理由退换 · 全国联保 · 全国包邮",
        Look(22, "#d9c8ff", 400),
        "7일 이내 교환·반품 · 전국 A/S · 무료 배송",
    )
