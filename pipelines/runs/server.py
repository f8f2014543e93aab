"""What fork servers import first: Linux then ends them with the process that they fork for, also while they import the rest."""

from pipelines.runs.following import signal_on_death_of_parent
from pipelines.settings.collector import collect_seldom

signal_on_death_of_parent()
collect_seldom()
