"""Dealweaver's entry: page setup, navigation, header, one guarded page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages._shared import no_workspace, shell

# A picture of our own: a material icon would be fetched from outside as the tab's icon.
ICON = Path(__file__).parent / "pages" / "_shared" / "icon.png"

st.set_page_config(page_title="Dealweaver", page_icon=str(ICON), layout="wide")

pages = [
    st.Page(file, title=title, icon=icon, url_path=address, default=position == 0)
    for position, (file, title, icon, address) in enumerate(shell.PAGES)
]
page = st.navigation(pages, position="top")
shell.enter_shell()
if error := no_workspace.trouble():
    no_workspace.draw(error)
else:
    shell.run_guarded(page)
