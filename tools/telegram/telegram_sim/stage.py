"""One running simulation: the world, its couriers, its gate and the people who act in it."""

from __future__ import annotations

from dataclasses import dataclass

from telegram_sim.actors import Actors
from telegram_sim.gate import Gate
from telegram_sim.post_office import PostOffice
from telegram_sim.world import World


@dataclass(frozen=True)
class Stage:
    """What the admin API and the page work with."""

    world: World
    office: PostOffice
    gate: Gate
    actors: Actors
