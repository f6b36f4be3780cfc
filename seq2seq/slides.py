"""PowerPoint slides, 16:9: sentence, translation and caption as text, the heatmap as a table of shaded cells.

A table and not a picture: every word and every cell can be edited, and nothing has to be drawn by a browser.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2seq.figures import NUMBERS_UP_TO, Grid, caption, grid
from seq2seq.language import CHINESE, ENGLISH, FRENCH, translate
from seq2seq.picture import INK, PALE, colour, legal, readable, text, text_width
from seq2seq.sheet import Sheet, Side, sheet
from seq2seq.translation import Translation

if TYPE_CHECKING:
    from pptx.slide import Slide

WIDTH, HEIGHT, MARGIN = 13.333, 7.5, 0.5
"""Inches of a slide."""
TABLE_TOP, TABLE_BOTTOM = 1.7, 6.45
"""Inches between which the table stands."""
LOCALES = {ENGLISH: "en-US", FRENCH: "fr-FR", CHINESE: "zh-CN"}
"""As PowerPoint calls the languages, whose spelling it checks."""
HEAD = 1.1
"""Inches that the words over the columns may take."""
LEADING = 1.2
"""Height of a line of type, in its size."""
MOST, SMALL_OVER = 36, 20
"""Words a side that a slide can show, and those over which its type gets small. LibreOffice needs a second for fifty cells."""
TITLE_ONLY = 5
"""The layout of python-pptx's own template that has a title and nothing else."""
PLAIN_TABLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""PowerPoint's table style "No Style, No Grid"."""
SMALL = "Small type, because the sentence is long: the offline page and the SVG picture are easier to read."
PART = (
    "Shown are the first {columns} of {all_columns} words and the first {rows} of {all_rows} words of the translation."
)
MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"


class Line(NamedTuple):
    """A paragraph: text, points, colour, whether bold, and the code of its language."""

    text: str
    size: int
    ink: str = PALE
    bold: bool = False
    language: str = ENGLISH


def to_pptx(made: Sequence[Translation | Sheet], title: str = "Attention Lens") -> bytes:
    """A slide for each translation. A comparison has one with both texts, then one for each side with attention."""
    from pptx import Presentation
    from pptx.util import Inches

    show = Presentation()
    # The template that python-pptx brings is 4:3; its placeholders are stretched with it, for slides that are added later.
    wider = Inches(WIDTH) / show.slide_width
    for page in (show.slide_master, *show.slide_layouts):
        for shape in page.placeholders:
            shape.left, shape.width = round(shape.left * wider), round(shape.width * wider)
    show.slide_width, show.slide_height = Inches(WIDTH), Inches(HEIGHT)
    show.core_properties.title, show.core_properties.author = title, title
    for each in (one if isinstance(one, Sheet) else sheet(one) for one in made):
        if len(each.sides) > 1:
            _both(_new(show, each), each)
        for side in each.sides:
            if len(each.sides) == 1 or side.translation.attention is not None:
                _one(_new(show, each), each, side)
    saved = io.BytesIO()
    show.save(saved)
    return saved.getvalue()


def _new(show: Any, each: Sheet) -> Slide:
    """A slide with the sentence as its title."""
    from pptx.util import Inches

    slide = show.slides.add_slide(show.slide_layouts[TITLE_ONLY])
    title = slide.shapes.title
    title.left, title.top, title.width, title.height = map(Inches, (MARGIN, 0.3, WIDTH - 2 * MARGIN, 0.75))
    size = 26 if len(each.text) <= 70 else 20 if len(each.text) <= 160 else 12
    _write(title.text_frame, [Line(each.text, size, INK, language=each.sides[0].translation.source_language)])
    return slide


def _both(slide: Slide, each: Sheet) -> None:
    """Both translations beside each other."""
    width, language = (WIDTH - 3 * MARGIN) / 2, each.language
    for place, side in enumerate(each.sides):
        made = side.translation
        lines = [Line(side.title, 16, INK, bold=True, language=language), _target(made, (20, 20, 14))]
        facts = [translate("{name}: {value}", language, name=name, value=value) for name, value in side.facts]
        warnings = [translate(warning, language) for warning in made.warnings]
        lines += [Line(line, 12, language=language) for line in (*facts, _said(made, each), *warnings)]
        _box(slide, f"Translation {place + 1}", lines, MARGIN + place * (width + MARGIN), 1.5, width, 4.5)
    notes = [Line(translate(note, language), 14, INK, language=language) for note in each.notes]
    _box(slide, "Notes", notes, MARGIN, 6.3, WIDTH - 2 * MARGIN, 0.9)


def _one(slide: Slide, each: Sheet, side: Side) -> None:
    """One translation: text, table, caption, and what made it."""
    made, language = side.translation, each.language
    shown = grid(made, pieces=each.pieces, show_eos=each.show_eos, language=language)
    _box(slide, "Translation", [_target(made, (20, 15, 10))], MARGIN, 1.05, WIDTH - 2 * MARGIN, 0.55)
    said = _said(made, each)
    facts = [f"{translate(name, language)} {translate(value, language)}" for name, value in side.facts]
    notes = [translate(", ", language).join([side.title, *facts])]
    notes += [translate(warning, language) for warning in made.warnings]
    if shown.weights is not None and shown.weights.size:
        notes += _table(slide, shown, said, language)
    lines = [Line(said, 14 if len(said) <= 120 else 12, INK, language=language)]
    lines += [Line(note, 10, language=language) for note in notes]
    _box(slide, "Caption", lines, MARGIN, TABLE_BOTTOM + 0.05, WIDTH - 2 * MARGIN, 0.9)


def _said(made: Translation, each: Sheet) -> str:
    """The heatmap in words, or why there is none."""
    return caption(made, show_eos=each.show_eos, language=each.language)


def _target(made: Translation, sizes: tuple[int, int, int]) -> Line:
    """The translation, smaller if it is long."""
    size = next(points for most, points in zip((90, 200, 10_000), sizes) if len(made.translation) <= most or most > 200)
    return Line(made.translation, size, INK, language=made.target_language)


def _table(slide: Slide, whole: Grid, said: str, language: str) -> list[str]:
    """The heatmap as a table; returns what the reader has to know about it, in that language as `said` is."""
    from pptx.util import Inches, Pt

    assert whole.weights is not None, "without attention there is no table"
    weights = whole.weights[:MOST, :MOST]
    shown = Grid(whole.rows[:MOST], whole.columns[:MOST], weights, whole.padding)
    T, S = len(shown.rows), len(shown.columns)
    size = next(points for most, points in ((12, 12), (SMALL_OVER, 10), (30, 8), (MOST, 6)) if max(T, S) <= most)
    inch = 1 / 72
    # A row must be as high as its type, or the table would grow over the caption.
    size = min(size, int((TABLE_BOTTOM - TABLE_TOP - HEAD) / T / inch / LEADING))
    rows, columns = ([_cut(word, size) for word in words] for words in (shown.rows, shown.columns))
    first = max(text_width(word, size) for word in rows) * inch + 0.1
    widest = max(text_width(word, size) for word in columns) * inch + 0.1
    column = min(max(0.75, min(1, widest)), (WIDTH - 2 * MARGIN - first) / S)
    upright = widest > column  # then the words over the columns stand on their side
    head = widest if upright else size * inch * 1.6
    row = min(0.34, (TABLE_BOTTOM - TABLE_TOP - head) / T)
    left = (WIDTH - first - S * column) / 2
    frame = slide.shapes.add_table(
        T + 1, S + 1, *map(Inches, (left, TABLE_TOP, first + S * column, head + T * row))
    )  # fmt: skip
    frame.name = "Attention"
    read = translate("Each row is one word of the translation.", language)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", legal(f"{read} {said}"))
    table = frame.table
    table.first_col, table.horz_banding = True, False  # the first row is a heading already
    style_id = table._tbl.tblPr.find(f"{{{MAIN}}}tableStyleId")  # ty: ignore[missing-union-attribute]: a new table has it
    style_id.text = PLAIN_TABLE
    for place in range(S + 1):
        table.columns[place].width = Inches(column if place else first)
    for place in range(T + 1):
        table.rows[place].height = Inches(row if place else head)
    numbers = max(T, S) <= NUMBERS_UP_TO
    for t, cells in enumerate(table._tbl.tr_lst):
        for s, cell in enumerate(cells.tc_lst):
            style: dict[str, Any] = {}
            if t == 0:
                word, style["upright"] = (columns[s - 1] if s else ""), upright and s > 0
            elif s == 0:
                word, style["align"] = rows[t - 1], "r"
            else:
                weight = float(weights[t - 1, s - 1])
                style["fill"] = colour(weight)
                word = f"{100 * weight:.0f}" if numbers and weight >= 0.01 else ""
            _cell(cell, word, Pt(size).centipoints, **style)
    notes = []
    if max(T, S) > SMALL_OVER:
        notes.append(translate(SMALL, language))
    if weights.shape != whole.weights.shape:
        all_rows, all_columns = whole.weights.shape
        counts = {"columns": S, "all_columns": all_columns, "rows": T, "all_rows": all_rows}
        notes.append(translate(PART, language, **counts))
    return notes


def _cut(word: str, size: int) -> str:
    """The word, or as much of it as stands in HEAD."""
    room = (HEAD - 0.1) * 72
    if text_width(word, size) <= room:
        return word
    return next(word[:n] for n in range(len(word), -1, -1) if text_width(word[:n] + "…", size) <= room) + "…"


def _cell(cell: Any, word: str, size: int, align: str = "ctr", fill: str = "", upright: bool = False) -> None:
    """Fills a table cell. As XML, because through python-pptx a thousand cells take seconds; and an empty cell keeps its row
    low only if the end of its paragraph has a size too. Two lines a cell are enough: four take LibreOffice thrice as long."""
    from pptx.oxml import parse_xml

    ink = (readable(fill) if fill else INK)[1:]
    font = f'sz="{size}" b="0"'
    line, run, turned = "", "", ' vert="vert270"' if upright else ""
    if word:
        run = f"<a:r><a:rPr {font}>{_paint(ink)}</a:rPr><a:t>{text(word)}</a:t></a:r>"
    if fill:
        line = "".join(f'<a:{edge} w="9525">{_paint("FFFFFF")}</a:{edge}>' for edge in ("lnR", "lnB"))
    made = parse_xml(
        f'<a:tc xmlns:a="{MAIN}"><a:txBody><a:bodyPr/><a:lstStyle/><a:p><a:pPr algn="{"l" if upright else align}"/>{run}'
        f'<a:endParaRPr {font}/></a:p></a:txBody><a:tcPr marL="25400" marR="25400" marT="0" marB="0" anchor="ctr"'
        f"{turned}>{line}{_paint(fill[1:]) if fill else '<a:noFill/>'}</a:tcPr></a:tc>"
    )
    cell.getparent().replace(cell, made)


def _paint(colour: str) -> str:
    return f'<a:solidFill><a:srgbClr val="{colour}"/></a:solidFill>'


def _box(slide: Slide, name: str, lines: Sequence[Line], left: float, top: float, width: float, height: float) -> None:
    from pptx.util import Inches

    box = slide.shapes.add_textbox(*map(Inches, (left, top, width, height)))
    box.name = name
    _write(box.text_frame, lines)


def _write(frame: Any, lines: Sequence[Line]) -> None:
    """Puts paragraphs into a text frame."""
    from pptx.dml.color import RGBColor
    from pptx.enum.text import PP_ALIGN
    from pptx.util import Pt

    frame.word_wrap = True
    for place, line in enumerate(lines):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.LEFT
        run = paragraph.add_run()
        run.text = legal(line.text)
        run.font.size, run.font.bold = Pt(line.size), line.bold
        run.font.color.rgb = RGBColor.from_string(line.ink[1:].upper())
        run._r.get_or_add_rPr().set("lang", LOCALES.get(line.language, line.language))
