"""What Streamlit runs for every visitor, again and again.

Alone in its folder: Streamlit takes files in a folder `pages` beside its script for pages of their own, which would
then be run past `ui.app`.
"""

from ui.app import main

main()
