"""comic-page: four panels in ink and screentone; speech set level and upright, a narration box, a sound."""

from __future__ import annotations

import numpy as np

from examples.canvas import Canvas, Fill, Floats, Shader, burst, curve, ellipse, rectangle
from examples.comic_cast import cat_head, courier, ink, jumper_body
from examples.lettering import Lettering, Look
from examples.sample import Sample, finish

WIDTH, HEIGHT = 800, 1140
BLACK, WHITE = "#111111", "#ffffff"
NIGHT = rectangle(36, 36, 764, 356)
WAITING = rectangle(36, 372, 396, 742)
KNOCK = rectangle(412, 372, 764, 742)
WARM = rectangle(36, 758, 764, 1104)


def tone(start: float, end: float, top: float, bottom: float, pitch: float = 5.6) -> Shader:
    """Screentone: dots on a grid turned by 45°, black's share running from `start` to `end`."""

    def shade(x: Floats, y: Floats) -> Floats:
        share = np.interp(y, (top, bottom), (start, end))
        u, v = (x + y) / (pitch * np.sqrt(2)), (x - y) / (pitch * np.sqrt(2))
        wave = (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v)) / 4 + 0.5
        black = np.clip((wave - (1 - share)) * 3.2 + 0.5, 0, 1)
        return np.repeat((255 - 238 * black)[..., None], 3, -1).astype(np.float32)

    return shade


def draw() -> Sample:
    """Draw it, 800 × 1140, in greys."""
    canvas, text = Canvas(WIDTH, HEIGHT), Lettering()
    _night(canvas, text)
    _waiting(canvas, text)
    _knock(canvas)
    _warm(canvas)
    panels = (NIGHT, WAITING, KNOCK, WARM)
    canvas.fill([rectangle(0, 0, WIDTH, HEIGHT), *panels], WHITE)
    for panel in panels:
        canvas.stroke(panel, 4, BLACK, closed=True)
    _talk(canvas, text)
    return finish(canvas, text)


def _night(canvas: Canvas, text: Lettering) -> None:
    canvas.fill(NIGHT, tone(0.86, 0.22, 36, 356))
    canvas.fill(ellipse(610, 128, 62), WHITE)
    canvas.fill(ellipse(590, 112, 9), tone(0.2, 0.2, 0, 1))
    canvas.fill(ellipse(632, 146, 13), tone(0.2, 0.2, 0, 1))
    rng = np.random.default_rng(5)
    x = 20.0
    while x < 780:
        broad, tall = float(rng.uniform(50, 96)), float(rng.uniform(70, 190))
        tower = rectangle(x, 356 - tall, x + broad, 372)
        canvas.fill(tower, BLACK)
        for wx in np.arange(x + 10, x + broad - 14, 16):
            for wy in np.arange(356 - tall + 14, 350, 22):
                if rng.random() < 0.33:
                    canvas.fill(rectangle(float(wx), float(wy), float(wx) + 8, float(wy) + 11), WHITE)
        x += broad + float(rng.uniform(-6, 10))
    for _ in range(90):
        canvas.fill(ellipse(rng.uniform(36, 764), rng.uniform(36, 356), rng.uniform(1.2, 3.4)), WHITE)
    box = rectangle(58, 58, 366, 150)
    canvas.fill(box, WHITE)
    canvas.stroke(box, 3, BLACK, closed=True)
    text.paragraph(
        76,
        72,
        ["腊月二十八，深夜十一点，", "整座城市都安静下来了。"],
        Look(24, BLACK, 600),
        "섣달 스무여드레 밤 11시, 온 도시가 고요해졌다.",
        leading=1.4,
    )


def _waiting(canvas: Canvas, text: Lettering) -> None:
    canvas.fill(WAITING, tone(0.12, 0.34, 372, 742))
    window = rectangle(60, 396, 214, 560)
    ink(canvas, window, tone(0.8, 0.6, 396, 560), 5)
    canvas.stroke(np.array([(137, 396), (137, 560)], np.float32), 5, WHITE)
    canvas.stroke(np.array([(60, 478), (214, 478)], np.float32), 5, WHITE)
    rng = np.random.default_rng(8)
    for _ in range(26):
        canvas.fill(ellipse(rng.uniform(64, 210), rng.uniform(400, 556), rng.uniform(1.5, 3.2)), WHITE)
    ink(
        canvas,
        curve([(108, 760), (112, 672), (150, 640), (196, 636), (244, 640), (282, 672), (288, 760)]),
        WHITE,
    )
    cat_head(canvas, 196, 590, 0.98, "waiting")
    ink(canvas, rectangle(20, 694, 402, 780), WHITE)
    canvas.fill(rectangle(20, 710, 402, 780), tone(0.5, 0.5, 0, 1))
    ink(canvas, np.array([(128, 694), (116, 634), (252, 634), (264, 694)], np.float32), "#2a2a2a")
    canvas.fill(ellipse(186, 664, 8), WHITE)
    ink(canvas, rectangle(300, 656, 346, 696, 6), WHITE)
    canvas.stroke(ellipse(350, 674, 11, 10), 3.5, BLACK, closed=True)
    for dx in (312, 330):
        canvas.stroke(curve([(dx, 646), (dx + 5, 636), (dx - 4, 624), (dx + 2, 612)], closed=False), 3, BLACK)


def _knock(canvas: Canvas) -> None:
    centre = np.array((604, 630), np.float32)
    rng = np.random.default_rng(3)
    for angle in np.arange(0, 2 * np.pi, 2 * np.pi / 110):
        turn = angle + rng.uniform(-0.02, 0.02)
        way = np.array((np.cos(turn), np.sin(turn)))
        side = np.array((-way[1], way[0])) * rng.uniform(1.5, 5)
        inner = centre + way * rng.uniform(160, 215)
        canvas.fill(
            np.array([inner, centre + way * 420 + side, centre + way * 420 - side], np.float32),
            BLACK,
            clip=KNOCK,
        )
    courier(canvas, 626, 652, 0.98, parcel=True)


def _warm(canvas: Canvas) -> None:
    canvas.fill(WARM, tone(0.05, 0.42, 758, 1104))
    canvas.fill(ellipse(300, 960, 260, 190), WHITE, blur=30, opacity=0.9)
    for x, y, size in (
        (70, 936, 13),
        (132, 918, 8),
        (346, 796, 13),
        (322, 842, 7),
        (548, 990, 15),
        (520, 1060, 9),
        (70, 1066, 10),
    ):
        _sparkle(canvas, x, y, size)
    jumper_body(canvas, 296, 1062)
    cat_head(canvas, 296, 962, 1.12, "happy")
    courier(canvas, 656, 1014, 0.8, parcel=False)


def _sparkle(canvas: Canvas, x: float, y: float, size: float) -> None:
    canvas.fill(burst(x, y, size, size * 0.22, 4), WHITE)
    canvas.stroke(burst(x, y, size, size * 0.22, 4), 1.6, BLACK, closed=True)


def _talk(canvas: Canvas, text: Lettering) -> None:
    speech, loud = Look(26, BLACK, 600), Look(28, BLACK, 800)
    _bubble(canvas, (318, 470), (66, 82), (262, 558))
    text.columns(318, 470, ["我的毛衣", "怎么还没", "寄到呢？"], speech, "내 스웨터는 왜 아직도 안 오지?")
    text.line(500, 400, "咚咚", Look(78, WHITE, 900, outline=(8, BLACK)), "똑똑", anchor="m", angle=-12)
    _shout(canvas, (672, 468), (80, 82), (628, 552))
    text.columns(674, 470, ["您好，", "您的快递", "到啦！"], loud, "안녕하세요, 택배 왔습니다!")
    _bubble(canvas, (176, 836), (116, 46), (236, 890))
    text.line(176, 821, "哇，好暖和呀！", Look(28, BLACK, 700), "와, 정말 따뜻해!", anchor="m")
    _bubble(canvas, (462, 862), (68, 82), (392, 940))
    text.columns(462, 862, ["这个冬天", "再也不用", "怕冷啦！"], speech, "올겨울은 이제 하나도 안 춥겠어!")
    _bubble(canvas, (640, 840), (54, 68), (654, 928))
    text.columns(640, 840, ["五星好评", "拜托啦！"], speech, "별 다섯 개 부탁해요!")


def _bubble(
    canvas: Canvas, centre: tuple[float, float], half: tuple[float, float], tip: tuple[float, float]
) -> None:
    """A speech bubble: a round-cornered oval with a tail that ends at `tip`."""
    turn = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    power = 2 / 2.5
    oval = np.stack(
        [
            centre[0] + half[0] * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power,
            centre[1] + half[1] * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power,
        ],
        1,
    ).astype(np.float32)
    _balloon(canvas, oval, _tail(centre, tip), WHITE)


def _shout(
    canvas: Canvas, centre: tuple[float, float], half: tuple[float, float], tip: tuple[float, float]
) -> None:
    """A speech bubble with spikes."""
    star = burst(0, 0, 1.16, 0.96, 15) * np.array(half, np.float32) + np.array(centre, np.float32)
    _balloon(canvas, star, _tail(centre, tip), WHITE)


def _tail(centre: tuple[float, float], tip: tuple[float, float]) -> Floats:
    way = np.array(tip, np.float32) - np.array(centre, np.float32)
    side = np.array((-way[1], way[0]), np.float32) / np.hypot(*way) * 15
    root = np.array(centre, np.float32) + way * 0.35
    return np.array([root + side, tip, root - side], np.float32)


def _balloon(canvas: Canvas, body: Floats, tail: Floats, fill: Fill) -> None:
    for part in (body, tail):
        canvas.stroke(part, 6, BLACK, closed=True)
    for part in (body, tail):
        canvas.fill(part, fill)
