//! Keys, as far as the screen knows them, and what a key leads to.
//!
//! Not the terminal's events: whoever reads those translates. Rule: what a key does is decided by the screen alone.

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character, as it is typed.
    Char(char),
    /// A letter with ctrl.
    Ctrl(char),
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
}

/// What is to be done outside the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the key means nothing here.
    None,
    /// Draw.
    Draw,
    /// Draw all of it anew: something else wrote over it.
    Redraw,
    /// Leave, and go back to the shell until it brings us back.
    Suspend,
    /// End.
    Quit,
}
