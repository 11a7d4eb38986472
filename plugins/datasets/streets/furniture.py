"""Objects on a street and their distances: houses, trees, poles, vehicles and people."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from . import buildings, people, roadside, vehicles
from .body import Heading, Pose, shade_ground
from .canvas import Canvas
from .paint import pick
from .street import FAR, Side, Street

VEHICLES = {
    "car": (vehicles.car_pose, vehicles.car),
    "truck": (vehicles.truck_pose, vehicles.truck),
    "bus": (vehicles.bus_pose, vehicles.bus),
    "tram": (vehicles.tram_pose, vehicles.tram),
}
CYCLES = {"bicycle": people.bicycle, "motorcycle": people.motorcycle}


class Thing(NamedTuple):
    """Something to draw, after everything farther away than ``far`` metres."""

    far: float
    draw: Callable[[Canvas, np.random.Generator], None]


def furniture(rng: np.random.Generator, street: Street) -> list[Thing]:
    """All objects on the street, from far to near."""
    things = [Thing(FAR, partial(buildings.skyline, z=FAR)), *_traffic(rng, street)]
    for side in (street.left, street.right):
        things += _fronts(rng, street, side)
        things += _pavement(rng, street, side)
        things += _beside_the_road(rng, street, side)
    return sorted(things, key=lambda thing: -thing.far)


def _fronts(rng: np.random.Generator, street: Street, side: Side) -> list[Thing]:
    """Houses, walls, fences and hedges in a row, and trees behind the low ones."""
    things = []
    x = side.x(street.middle, side.front)
    z = float(rng.uniform(-4, 3))
    while z < 85:
        end = z + float(rng.uniform(8, 18))
        kind = pick(rng, ("house", "house", "wall", "wall", "fence", "fence", "hedge", "open"))
        if kind == "house":
            things.append(Thing(end, partial(buildings.building, x=x, start=z, end=end)))
        elif kind == "wall":
            things.append(Thing(end, partial(buildings.wall, x=x, start=z, end=end)))
        elif kind == "fence":
            things.append(Thing(end, partial(buildings.fence, x=x, start=z, end=end)))
        elif kind == "hedge":
            things.append(Thing(end, partial(roadside.hedge, x=x, start=z, end=end, height=1.7)))
        if kind != "house":
            beyond = x + side.sign * float(rng.uniform(4, 10))
            if rng.random() < 0.4:
                draw = partial(buildings.building, x=beyond, start=z + 1, end=end - 1)
            else:
                draw = partial(roadside.tree, x=beyond, z=(z + end) / 2)
            things.append(Thing(end + 0.1, draw))
        z = end
    return things


def _pavement(rng: np.random.Generator, street: Street, side: Side) -> list[Thing]:
    """Poles by the kerb, and people, bicycles and bins between them."""
    things = []
    kerb, back = side.rails + 0.4, side.pavement - 0.3
    z = float(rng.uniform(5, 10))
    while z < 34:
        x = side.x(street.middle, kerb)
        things.append(Thing(z, partial(_random_pole(rng), x=x, z=z)))
        z += float(rng.uniform(5, 14))
    for low, high in ((4, 8), (6, 12), (10, 22)):
        for _ in range(int(rng.integers(0, 3))):
            x = side.x(street.middle, float(rng.uniform(kerb, back)))
            z = float(rng.uniform(low, high))
            things += _on_pavement(rng, x, z)
    return things


def _random_pole(rng: np.random.Generator) -> Callable[..., None]:
    return pick(
        rng,
        (
            roadside.traffic_light, roadside.traffic_light, roadside.traffic_light,
            roadside.traffic_sign, roadside.traffic_sign, roadside.traffic_sign,
            roadside.lamp_post, roadside.tree,
        ),
    )  # fmt: skip


def _on_pavement(rng: np.random.Generator, x: float, z: float) -> list[Thing]:
    kind = pick(rng, ("person", "person", "group", "bicycle", "bicycle", "motorcycle", "bin"))
    if kind == "group":
        steps = ((0.0, 0.0), (0.45, 0.3), (-0.4, 0.5))
        whole = rng.random() < 0.5 and z > 14
        return [
            Thing(z + dz, partial(people.person, x=x + dx, z=z + dz, group=whole))
            for dx, dz in steps
        ]
    if kind == "person":
        return [Thing(z, partial(people.person, x=x, z=z))]
    if kind == "bin":
        return [Thing(z, partial(roadside.bin, x=x, z=z))]
    return [Thing(z, partial(CYCLES[kind], x=x, z=z, ahead=rng.random() < 0.25))]


def _beside_the_road(rng: np.random.Generator, street: Street, side: Side) -> list[Thing]:
    """Parked vehicles on the parking strip, a tram on the rails."""
    things = []
    if side.rails > side.parking:
        x = side.x(street.middle, (side.parking + side.rails) / 2)
        heading = _lane_heading(side)
        things.append(_vehicle(rng, "tram", x, float(rng.uniform(6, 22)), heading))
    elif side.parking > side.kerb:
        x = side.x(street.middle, (side.kerb + side.parking) / 2)
        z = float(rng.uniform(4, 9))
        while z < 40:
            things.append(_vehicle(rng, "car", x, z, pick(rng, ("away", "towards"))))
            z += float(rng.uniform(6, 16))
    return things


def _traffic(rng: np.random.Generator, street: Street) -> list[Thing]:
    """Vehicles and riders in the lanes, and some that cross the street."""
    things = []
    for side in (street.left, street.right):
        for lane in range(street.lanes):
            x = side.x(street.middle, (lane + 0.5) * street.lane)
            own = abs(x) < street.lane / 2
            z = float(rng.uniform(7, 20) if own else rng.uniform(5, 20))
            while z < 36:
                kind = pick(rng, ("car", "car", "truck", "bus", "rider", "rider", "rider"))
                aside = x + float(rng.uniform(-0.4, 0.4))
                if kind == "rider":
                    things += _rider(rng, aside, z, ahead=rng.random() < 0.5)
                else:
                    things.append(_vehicle(rng, kind, aside, z, _lane_heading(side)))
                z += float(rng.uniform(6, 14) if kind == "rider" else rng.uniform(18, 40))
    if rng.random() < 0.3:
        things += _crossing(rng, x=float(rng.uniform(-6, 6)), z=float(rng.uniform(6, 16)))
    return things


def _crossing(rng: np.random.Generator, x: float, z: float) -> list[Thing]:
    """A vehicle or rider crossing the street, seen from the side."""
    kind = pick(rng, ("car", "truck", "bus", "rider", "rider", "rider"))
    if kind == "rider":
        return _rider(rng, x, z, ahead=False)
    headings: tuple[Heading, ...] = ("left", "right")
    return [_vehicle(rng, kind, x, z, pick(rng, headings))]


def _lane_heading(side: Side) -> Heading:
    return "away" if side.sign > 0 else "towards"


def _rider(rng: np.random.Generator, x: float, z: float, ahead: bool) -> list[Thing]:
    """A person on a bicycle or a motorcycle."""
    cycle = CYCLES[pick(rng, ("bicycle", "motorcycle"))]
    return [
        Thing(z, partial(cycle, x=x, z=z, ahead=ahead)),
        Thing(z - 0.01, partial(people.rider, x=x, z=z - 0.01, ahead=ahead)),
    ]


def _vehicle(rng: np.random.Generator, kind: str, x: float, z: float, heading: Heading) -> Thing:
    pose_of, draw = VEHICLES[kind]
    pose = pose_of(rng, x, z, heading)
    return Thing(pose.z + 0.5, partial(_on_its_shadow, draw=draw, pose=pose))


def _on_its_shadow(
    canvas: Canvas, rng: np.random.Generator, draw: Callable[..., None], pose: Pose
) -> None:
    shade_ground(canvas, pose)
    draw(canvas, rng, pose)
