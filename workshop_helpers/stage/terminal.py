"""`workshop stage live` in a terminal: the keys of the presenter, and the screen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..core.errors import from_extra
from .live import Live
from .screen import LEAST_SIZE, STYLE, Screen

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings

_REFRESH = 0.25  # seconds


def run(live: Live) -> None:
    """Give the talk in this terminal, until the presenter ends it."""
    application(live).run()


def application(live: Live) -> Application[None]:
    """The program that draws `live` and listens to the keys."""
    with from_extra("notebooks", "prompt_toolkit"):
        from prompt_toolkit.application import Application, get_app
        from prompt_toolkit.layout import FormattedTextControl, Layout, Window
        from prompt_toolkit.output import ColorDepth
        from prompt_toolkit.styles import Style

    # Where the terminal says so, the colours are those of the plots; else the nearest it has.
    truecolor = os.environ.get("COLORTERM") in ("truecolor", "24bit")
    screen = Screen(live.language, live.rehearsal.folder)

    def draw() -> Any:
        size = get_app().output.get_size()
        live.tick()
        if size.columns < LEAST_SIZE[0] // 2 or size.rows < LEAST_SIZE[1] // 2:
            return [("class:late", screen.say("small", columns=LEAST_SIZE[0], lines=LEAST_SIZE[1]))]
        fragments: list[tuple[str, str]] = []
        for line in screen.lines(live.view(), size.columns, size.rows):
            fragments += [(f"class:{style}" if style else "", text) for style, text in line]
            fragments.append(("", "\n"))
        return fragments[:-1]

    return Application(
        layout=Layout(Window(FormattedTextControl(draw, show_cursor=False))),
        key_bindings=_keys(live, screen),
        style=Style.from_dict(STYLE),
        color_depth=ColorDepth.TRUE_COLOR if truecolor else None,
        full_screen=True,
        refresh_interval=_REFRESH,
    )


def _keys(live: Live, screen: Screen) -> KeyBindings:
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    asking = Condition(lambda: screen.quitting)

    def key(*names: str, act: Any, top: bool = True) -> None:
        def pressed(event: Any) -> None:
            screen.help = False
            if top:
                screen.top = screen.left = 0
            act()

        for name in names:
            bindings.add(name, filter=~asking)(pressed)

    def scroll(name: str, by: int) -> Any:
        return lambda: setattr(screen, name, max(getattr(screen, name) + by, 0))

    key("enter", " ", "n", "pagedown", act=live.proceed)
    key("r", act=live.show_rehearsed)
    key("b", "pageup", act=lambda: live.move(-1))
    key("a", act=live.run)
    key("s", act=live.skip)
    key("p", act=live.pause)
    key("down", act=scroll("top", 1), top=False)
    key("up", act=scroll("top", -1), top=False)
    key("right", act=scroll("left", 10), top=False)
    key("left", act=scroll("left", -10), top=False)
    key("q", "c-c", act=lambda: setattr(screen, "quitting", True))

    @bindings.add("?", filter=~asking)
    def _help(event: Any) -> None:
        screen.help = not screen.help

    @bindings.add("y", filter=asking)
    @bindings.add("q", filter=asking)
    @bindings.add("c-c", filter=asking)
    def _quit(event: Any) -> None:
        event.app.exit()

    @bindings.add("<any>", filter=asking)
    def _stay(event: Any) -> None:
        screen.quitting = False

    return bindings
