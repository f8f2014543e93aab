"""A word that is drawn with the mouse: the pen goes down, moves and goes up."""

from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass
class Drawing:
    """The strokes of a pen, lists of points in pixels, y downwards; the last one grows while the pen is ``down``."""

    strokes: list[list[Point]] = field(default_factory=list)
    down: bool = False

    def take(self, event: str, x: float, y: float) -> bool:
        """Follow an event of the mouse, ``mousedown``, ``mousemove`` or ``mouseup``; whether the drawing has changed."""
        if event == "mousedown":
            self.down = True
            self.strokes.append([(x, y)])
            return True
        if event == "mouseup" or not self.down:
            self.down = False
            return False
        self.strokes[-1].append((x, y))
        return True

    def clear(self) -> None:
        """A blank sheet."""
        self.strokes, self.down = [], False

    def upwards(self) -> list[list[list[float]]]:
        """The strokes as a recogniser reads them: y grows upwards."""
        return [[[x, -y] for x, y in stroke] for stroke in self.strokes]

    def svg(self) -> str:
        """The ink."""
        paths = [" ".join(f"{x:.1f},{y:.1f}" for x, y in stroke + stroke[-1:]) for stroke in self.strokes]
        style = 'fill="none" stroke="#15304f" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"'
        return "".join(f'<polyline points="{points}" {style}/>' for points in paths)
