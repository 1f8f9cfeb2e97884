"""spec-sheet: the parameter page of a kettle, flat grounds, a table with rules, a wrapped paragraph."""

from __future__ import annotations

from examples.canvas import Canvas, Fill, ellipse, linear, radial, rectangle
from examples.lettering import Lettering, Look
from examples.products import kettle
from examples.sample import Sample, finish

INK, GREEN, SOFT, RULE, CREAM = "#26332d", "#3f6b55", "#74807a", "#d9ddd5", "#f6f3ec"

ROWS = (
    ("品牌名称：花研生活", "브랜드: 화연생활"),
    ("产品名称：恒温电热水壶", "제품명: 온도 조절 전기포트"),
    ("产品型号：HY-K1728", "모델명: HY-K1728"),
    ("额定容量：1.7L", "정격 용량: 1.7L"),
    ("额定功率：1800W", "정격 소비전력: 1800W"),
    ("内胆材质：316L不锈钢", "내부 재질: 316L 스테인리스"),
    ("控温范围：40℃至100℃", "온도 조절: 40℃~100℃"),
    ("颜色分类：雾霾绿、奶油白", "색상: 더스티 그린, 크림 화이트"),
)
NOTICE = (
    "首次使用前，请注入清水至最高水位线，煮沸后倒掉，重复两到三次即可正常使用。"
    "由于测量方式不同，尺寸可能存在少许误差，产品颜色及配件请以收到的实物为准。"
)
NOTICE_KOREAN = (
    "처음 사용하기 전에 최고 수위선까지 물을 채워 끓인 뒤 버리는 과정을 두세 번 반복해 주세요. "
    "측정 방법에 따라 크기에 다소 오차가 있을 수 있으며, 색상과 구성품은 실제 받으신 제품을 기준으로 합니다."
)


def draw() -> Sample:
    """Draw it, 790 × 1040."""
    canvas, text = Canvas(790, 1040, "#ffffff"), Lettering()
    canvas.fill(rectangle(0, 0, 790, 10), GREEN)
    text.line(56, 58, "PRODUCT INFORMATION", Look(16, GREEN, 600, tracking=3))
    text.line(54, 86, "产品参数", Look(58, INK, 800, tracking=2), "제품 사양")
    text.line(734, 118, "细节之处，见证用心", Look(24, SOFT, 400), "디테일에서 느껴지는 정성", anchor="r")
    canvas.fill(rectangle(56, 176, 734, 179), INK)
    _product(canvas, text)
    _table(canvas, text)
    _notice(canvas, text)
    canvas.fill(rectangle(0, 968, 790, 1040), GREEN)
    text.line(56, 989, "HUAYAN", Look(28, "#ffffff", 800, tracking=4))
    text.line(734, 992, "HY-K1728 | 1800W | 220V~50Hz", Look(22, "#dfe9e2", 400), anchor="r")
    return finish(canvas, text)


def _product(canvas: Canvas, text: Lettering) -> None:
    panel = rectangle(56, 208, 372, 704, 18)
    canvas.fill(panel, linear((0, 208), (0, 704), "#f3efe6", "#e9e4d8"))
    canvas.fill(ellipse(214, 420, 136), radial((214, 420), 136, "#ffffff", "#f7f4ee"), opacity=0.9)
    canvas.fill(ellipse(208, 542, 112, 9), "#4b4a40", opacity=0.45, blur=7)
    picture, alpha = kettle(304, 246)
    canvas.paste(picture, 62, 310, alpha)
    _dimension(canvas, (96, 590), (322, 590))
    text.line(209, 602, "约 27cm", Look(20, INK, 500), "약 27cm", anchor="m")
    canvas.fill(rectangle(96, 646, 332, 684, 19), GREEN)
    text.line(214, 654, "恒温锁鲜 一壶好水", Look(20, "#ffffff", 600), "항온으로 지키는 물맛", anchor="m")
    text.line(80, 230, "1.7L", Look(44, GREEN, 800))
    text.line(81, 284, "家用大容量", Look(20, SOFT, 400), "가정용 대용량")


def _dimension(canvas: Canvas, start: tuple[int, int], end: tuple[int, int]) -> None:
    colour: Fill = "#8d968f"
    canvas.fill(rectangle(start[0], start[1] - 1, end[0], end[1] + 1), colour)
    for x, y in (start, end):
        canvas.fill(rectangle(x - 1, y - 7, x + 1, y + 7), colour)


def _table(canvas: Canvas, text: Lettering) -> None:
    left, right, top, pitch = 404, 734, 208, 62
    for i, (chinese, korean) in enumerate(ROWS):
        y = top + i * pitch
        if i % 2 == 0:
            canvas.fill(rectangle(left, y, right, y + pitch), CREAM)
        text.line(left + 18, y + 19, chinese, Look(23, INK, 500), korean)
        canvas.fill(rectangle(left, y + pitch - 1, right, y + pitch), RULE)
    canvas.fill(rectangle(left, top, right, top + 2), GREEN)


def _notice(canvas: Canvas, text: Lettering) -> None:
    canvas.fill(rectangle(56, 744, 62, 770), GREEN)
    text.line(76, 741, "温馨提示", Look(28, INK, 700), "안내 사항")
    text.paragraph(56, 792, NOTICE, Look(23, "#55605a", 400), NOTICE_KOREAN, room=680, leading=1.75)
