"""Draw the sample pictures of this folder.

Run ``python samples/make_samples.py [FOLDER]``; the pictures are written next to this script unless a
folder is named.  The two scenes are ray traced with NumPy from the shapes and surfaces described below, with
fixed random seeds, so that every run draws the same pictures.

Conventions: lengths are metres in the harbor and decimetres in the still life, y points up, the camera looks
towards +z, and a bundle of ``n`` vectors (points, directions, linear RGB colours) is an array of shape (3, n).
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[Any]
Field = Callable[[Array], Array]

NEAR = 1e-3
FAR = np.float32(np.inf)


# --------------------------------------------------------------------------------------------------------------
# Vectors, colours and noise
# --------------------------------------------------------------------------------------------------------------


def vec(x: float, y: float, z: float) -> Array:
    """Return one vector as a column, ready to broadcast against a (3, n) bundle."""
    return np.array([[x], [y], [z]], dtype=np.float32)


def rgb(code: str) -> Array:
    """Return the linear RGB column of an sRGB colour such as ``"#c8452d"``."""
    srgb = np.array([[int(code[i : i + 2], 16) / 255] for i in (1, 3, 5)], dtype=np.float32)
    return np.asarray(srgb**2.2, dtype=np.float32)


def dot(a: Array, b: Array) -> Array:
    """Return the dot products of two bundles."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def unit(a: Array) -> Array:
    """Return a bundle scaled to length one."""
    return np.asarray(a / np.sqrt(np.maximum(dot(a, a), 1e-12)))


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """Blend linearly from ``a`` (t = 0) to ``b`` (t = 1)."""
    return np.asarray(a + (b - a) * t, dtype=np.float32)


def ramp(x: Array, low: float, high: float) -> Array:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def phase(x: Array, period: float) -> Array:
    """Return the position within a repeating pattern, from 0 to 1."""
    return np.asarray(np.mod(x / period, 1.0), dtype=np.float32)


_LATTICE = np.random.default_rng(7).random((256, 256), dtype=np.float32)


def cell(i: Array, j: Array, salt: int = 0) -> Array:
    """Return one repeatable random number in [0, 1) for each integer cell (i, j)."""
    a = np.asarray(i).astype(np.int32) + 37 * salt
    b = np.asarray(j).astype(np.int32) + 101 * salt
    return np.asarray(_LATTICE[a & 255, b & 255])


def noise(x: Array, y: Array) -> Array:
    """Return smooth value noise in [0, 1)."""
    i, j = np.floor(x), np.floor(y)
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a, b = i.astype(np.int32), j.astype(np.int32)
    a0, a1, b0, b1 = a & 255, (a + 1) & 255, b & 255, (b + 1) & 255
    low = mix(_LATTICE[a0, b0], _LATTICE[a1, b0], u)
    high = mix(_LATTICE[a0, b1], _LATTICE[a1, b1], u)
    return mix(low, high, v)


def fractal(x: Array, y: Array, octaves: int = 4) -> Array:
    """Return fractal noise around 0.5: octaves of value noise, each turned, finer and fainter."""
    total = np.zeros(np.broadcast(x, y).shape, dtype=np.float32)
    weight = 0.5
    for _ in range(octaves):
        total += weight * noise(x, y)
        x, y = 1.62 * x + 1.18 * y + 17.3, -1.18 * x + 1.62 * y + 9.1
        weight *= 0.5
    return np.asarray(total / (1 - 2 * weight + weight), dtype=np.float32)


def solid_noise(p: Array, scale: float) -> Array:
    """Return noise in [0, 1) that fills space, made of three crossed sheets of plane noise."""
    q = p * scale
    sheets = noise(q[0] + 5.2, q[1] + q[2] * 0.7), noise(q[1] + 1.7, q[2] - q[0] * 0.6), noise(q[2], q[0] + q[1] * 0.8)
    return np.asarray(sum(sheets) / 3, dtype=np.float32)


def bumped(n: Array, p: Array, height: Field, strength: float, step: float) -> Array:
    """Tilt normals as if the surface were raised by ``height``."""
    base = height(p)
    slopes = [height(p + step * axis) - base for axis in (vec(1, 0, 0), vec(0, 1, 0), vec(0, 0, 1))]
    slope = np.stack(slopes) * (strength / step)
    return unit(n - slope + n * dot(slope, n))


# --------------------------------------------------------------------------------------------------------------
# Surfaces and shapes
# --------------------------------------------------------------------------------------------------------------


@dataclass
class Surface:
    """What a material says about a bundle of points: its colour, its tilt and how much it mirrors."""

    albedo: Array
    normal: Array
    mirror: Array | float = 0.0
    blur: Array | float = 0.0
    glow: Array | float = 0.0


Material = Callable[[Array, Array], Surface]


@dataclass(frozen=True)
class Frame:
    """A local coordinate system; the rows of ``axes`` are its unit axes in the world."""

    origin: Array
    axes: Array

    @classmethod
    def turned(cls, x: float, y: float, z: float, degrees: float = 0.0) -> Frame:
        """Return an upright frame whose first axis is turned about y, from +x towards +z."""
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return cls(vec(x, y, z), np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=np.float32))

    def tilted(self, forward: float, sideways: float = 0.0) -> Frame:
        """Return the frame leaning by some degrees about its first and then its third axis."""
        (c, f), (k, s) = ((np.cos(a), np.sin(a)) for a in np.radians((forward, sideways)))
        lean = np.array([[1, 0, 0], [0, c, -f], [0, f, c]]) @ np.array([[k, s, 0], [-s, k, 0], [0, 0, 1]])
        return Frame(self.origin, np.asarray(lean @ self.axes, dtype=np.float32))

    def local(self, p: Array) -> Array:
        """Return world points in local coordinates."""
        return np.asarray(self.axes @ (p - self.origin))

    def world(self, x: float, y: float, z: float) -> Array:
        """Return a local point in world coordinates."""
        return np.asarray(self.axes.T @ vec(x, y, z) + self.origin)

    def at(self, x: float, y: float, z: float) -> Frame:
        """Return the same frame moved to a local point."""
        return Frame(self.world(x, y, z), self.axes)


@dataclass(eq=False)
class Node(ABC):
    """A part of a scene, enclosed in a sphere that lets most rays pass it by quickly."""

    centre: Array
    radius: float


@dataclass(eq=False)
class Group(Node):
    """Parts that share one enclosing sphere."""

    parts: list[Node]

    def __post_init__(self) -> None:
        """Lay out the enclosing spheres of the parts as arrays."""
        self.offsets = np.concatenate([part.centre - self.centre for part in self.parts], axis=1).T
        self.squares = np.sum(self.offsets**2, axis=1, keepdims=True)
        self.reaches = np.array([[part.radius] for part in self.parts], dtype=np.float32)
        self.limits = self.reaches**2 * 1.001 + 0.01

    @classmethod
    def of(cls, parts: Sequence[Node]) -> Group:
        """Enclose parts in a common sphere."""
        low = np.min([part.centre - part.radius for part in parts], axis=0)
        high = np.max([part.centre + part.radius for part in parts], axis=0)
        centre = np.asarray((low + high) / 2, dtype=np.float32)
        radius = max(float(np.linalg.norm(part.centre - centre)) + part.radius for part in parts)
        return cls(centre, radius, list(parts))


@dataclass(eq=False)
class Shape(Node):
    """A solid with one material."""

    material: Material

    @abstractmethod
    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """Return where rays enter the solid after ``start`` (infinity: nowhere) and the normals there."""


@dataclass(eq=False)
class Plane(Shape):
    """An endless plane through ``centre``."""

    normal: Array

    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """Meet rays that come from the front."""
        facing = dot(self.normal, d)
        t = dot(self.normal, self.centre - o) / np.where(facing < 0, facing, -1e-9)
        return np.where((facing < 0) & (t > start), t, FAR), np.broadcast_to(self.normal, d.shape)


@dataclass(eq=False)
class Ellipsoid(Shape):
    """A unit ball stretched by the inverse of ``shrink``."""

    shrink: Array

    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """Solve the quadratic of the stretched ball."""
        u, v = self.shrink @ (o - self.centre), self.shrink @ d
        a, b, c = dot(v, v), dot(u, v), dot(u, u) - 1
        inside = b * b - a * c
        t = (-b - np.sqrt(np.maximum(inside, 0))) / a
        return np.where((inside > 0) & (t > start), t, FAR), unit(self.shrink.T @ (u + v * t))


@dataclass(eq=False)
class Rod(Shape):
    """A round rod from ``tail`` to ``tip``, without caps."""

    tail: Array
    tip: Array
    thickness: float

    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """Solve the quadratic of the endless rod and keep the part between the ends."""
        axis, oa = self.tip - self.tail, o - self.tail
        length, along_d, along_o = dot(axis, axis), dot(axis, d), dot(axis, oa)
        a = np.maximum(length - along_d * along_d, 1e-9)
        b = length * dot(oa, d) - along_o * along_d
        c = length * (dot(oa, oa) - self.thickness**2) - along_o * along_o
        inside = b * b - a * c
        t = (-b - np.sqrt(np.maximum(inside, 0))) / a
        along = along_o + t * along_d
        hit = (inside > 0) & (t > start) & (along > 0) & (along < length)
        return np.where(hit, t, FAR), unit(oa + d * t - axis * (along / length))


@dataclass(eq=False)
class Convex(Shape):
    """A solid bounded by planes: the points p with ``normals @ p <= offsets``."""

    normals: Array
    offsets: Array

    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """Intersect the intervals in which a ray is behind each plane."""
        facing = self.normals @ d
        facing = np.where(np.abs(facing) < 1e-9, np.float32(1e-9), facing)
        t = (self.offsets - self.normals @ o) / facing
        entering = np.where(facing < 0, t, -FAR)
        side = entering.argmax(axis=0)
        enter = np.take_along_axis(entering, side[None], axis=0)[0]
        leave = np.where(facing > 0, t, FAR).min(axis=0)
        return np.where((enter < leave) & (enter > start), enter, FAR), self.normals[side].T


@dataclass(eq=False)
class Implicit(Shape):
    """A solid where ``distance`` (of local points, never more than the true distance) is negative."""

    frame: Frame
    distance: Field
    steps: int = 48

    def meet(self, o: Array, d: Array, start: Array) -> tuple[Array, Array]:
        """March along the rays by the distance that is sure to be free."""
        u, v = self.frame.local(o), self.frame.axes @ d
        t = np.maximum(start, -self.radius)
        busy = np.arange(t.size)
        for _ in range(self.steps):
            gap = self.distance(u[:, busy] + v[:, busy] * t[busy])
            t[busy] += np.maximum(gap, 0)
            busy = busy[(gap > 2e-4 * self.radius) & (t[busy] < self.radius)]
            if not busy.size:
                break
        t[busy] = FAR
        t = np.where(t < self.radius, t, FAR)
        normals = np.zeros_like(d)
        hit = np.flatnonzero(t < FAR)
        if hit.size:
            at, eps = u[:, hit] + v[:, hit] * t[hit], 2e-3 * self.radius
            probes = (vec(1, -1, -1), vec(-1, -1, 1), vec(-1, 1, -1), vec(1, 1, 1))
            slope = np.sum([k * self.distance(at + eps * k) for k in probes], axis=0)
            normals[:, hit] = self.frame.axes.T @ unit(slope)
        return t, normals


def box(frame: Frame, low: Array, high: Array, material: Material) -> Convex:
    """Return the box between two local corners."""
    return cut_box(frame, low, high, material, [])


def cut_box(frame: Frame, low: Array, high: Array, material: Material, cuts: list[tuple[Array, Array]]) -> Convex:
    """Return a box cut by further local planes, each given as (outward normal, point on it)."""
    eye = np.eye(3, dtype=np.float32)
    slants = [(unit(n).T, dot(unit(n), point)[None]) for n, point in cuts]
    local = np.concatenate([eye, -eye, *(n for n, _ in slants)])
    limits = np.concatenate([high, -low, *(h for _, h in slants)])
    normals = np.asarray(local @ frame.axes, dtype=np.float32)
    middle = frame.axes.T @ ((low + high) / 2) + frame.origin
    offsets = np.asarray(limits + normals @ frame.origin, dtype=np.float32)
    return Convex(middle, float(np.linalg.norm(high - low)) / 2, material, normals, offsets)


def ball(centre: Array, radius: float, material: Material) -> Ellipsoid:
    """Return a ball."""
    return Ellipsoid(centre, radius, material, np.eye(3, dtype=np.float32) / np.float32(radius))


def ellipsoid(frame: Frame, a: float, b: float, c: float, material: Material) -> Ellipsoid:
    """Return an ellipsoid with the given half axes along the axes of a frame."""
    shrink = frame.axes / np.array([[a], [b], [c]], dtype=np.float32)
    return Ellipsoid(frame.origin, max(a, b, c), material, np.asarray(shrink, dtype=np.float32))


def rod(tail: Array, tip: Array, thickness: float, material: Material) -> Rod:
    """Return a round rod between two points."""
    reach = float(np.linalg.norm(tip - tail)) / 2 + thickness
    return Rod(np.asarray((tail + tip) / 2), reach, material, tail, tip, thickness)


def rope(tail: Array, tip: Array, sag: float, thickness: float, material: Material, pieces: int = 6) -> Group:
    """Return a rope that hangs between two points."""
    knots = [mix(tail, tip, t) - vec(0, 4 * sag * t * (1 - t), 0) for t in np.linspace(0, 1, pieces + 1)]
    return Group.of([rod(a, b, thickness, material) for a, b in pairwise(knots)])


def plain(colour: Array, mirror: float = 0.0, blur: float = 0.0, glow: float = 0.0) -> Material:
    """Return a material of one colour."""

    def material(p: Array, n: Array) -> Surface:
        return Surface(np.broadcast_to(colour, p.shape), n, mirror, blur, colour * glow)

    return material


def mottled(colour: Array, scale: float, depth: float = 0.5, mirror: float = 0.0, blur: float = 0.0) -> Material:
    """Return a rough material of one colour with darker and lighter spots."""

    def material(p: Array, n: Array) -> Surface:
        spots = 0.6 * solid_noise(p, scale) + 0.4 * solid_noise(p, 3.1 * scale)
        return Surface(colour * (1 - depth + 2 * depth * spots), n, mirror, blur)

    return material


# --------------------------------------------------------------------------------------------------------------
# Ray tracing
# --------------------------------------------------------------------------------------------------------------


@dataclass
class Hits:
    """The nearest hit of each ray so far: distance, normal and index of the shape's material."""

    t: Array
    normal: Array
    owner: Array


@dataclass
class Scene:
    """Everything a picture shows, and the light that falls on it."""

    parts: Sequence[Node]
    sky: Field
    light: Callable[[Array, Array], tuple[Array, Array, Array]]
    ambient: Callable[[Array, Array], Array]
    reach: float
    lamp_rays: int = 1
    bounces: int = 1
    haze: Callable[[Array, Array], tuple[Array, Array]] | None = None
    shapes: list[Shape] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Number the shapes and gather them around the origin."""
        self.root = Group(vec(0, 0, 0), np.inf, list(self.parts))
        self.shapes = list(leaves_of(self.parts))
        self.index = {id(shape): number for number, shape in enumerate(self.shapes)}

    def trace(self, o: Array, d: Array, limit: Array | np.float32 = FAR) -> Hits:
        """Find the nearest shape on each ray, up to the distance ``limit``."""
        count = d.shape[1]
        hits = Hits(np.full(count, limit, np.float32), np.zeros((3, count), np.float32), np.full(count, -1, np.int32))
        self._descend(self.root, o, d, np.arange(count), hits)
        return hits

    def _descend(self, group: Group, o: Array, d: Array, rows: Array, hits: Hits) -> None:
        """Follow the rays that reach the enclosing spheres of a group's parts into these parts."""
        origin = o - group.centre
        ahead = group.offsets @ d - dot(origin, d)
        miss = group.squares + dot(origin, origin) - 2 * (group.offsets @ origin) - ahead * ahead
        near = (miss < group.limits) & (ahead > -group.reaches)
        for part, mask, along in zip(group.parts, near, ahead, strict=True):
            kept = np.flatnonzero(mask)
            kept = kept[along[kept] - part.radius < hits.t[rows[kept]]]
            if not kept.size:
                continue
            if isinstance(part, Group):
                self._descend(part, o[:, kept], d[:, kept], rows[kept], hits)
            elif isinstance(part, Shape):
                self._meet(part, o[:, kept], d[:, kept], along[kept], rows[kept], hits)

    def _meet(self, shape: Shape, o: Array, d: Array, ahead: Array, rows: Array, hits: Hits) -> None:
        """Record where rays meet a shape; the rays are first moved near it, for the sake of precision."""
        if not np.isfinite(shape.radius):
            ahead = np.zeros_like(ahead)
        t, normal = shape.meet(o + d * ahead, d, NEAR - ahead)
        t = t + ahead
        nearer = np.flatnonzero(t < hits.t[rows])
        if nearer.size:
            hits.t[rows[nearer]] = t[nearer]
            hits.normal[:, rows[nearer]] = normal[:, nearer]
            hits.owner[rows[nearer]] = self.index[id(shape)]

    def radiance(self, o: Array, d: Array, dice: Array, rng: np.random.Generator, bounces: int) -> Array:
        """Return the light that comes back along rays; ``dice`` holds two even random numbers for each."""
        hits = self.trace(o, d)
        colour = np.zeros(d.shape, np.float32)
        missed, found = np.flatnonzero(hits.owner < 0), np.flatnonzero(hits.owner >= 0)
        if missed.size:
            colour[:, missed] = self.sky(d[:, missed])
        if not found.size:
            return colour
        d, dice, distance = d[:, found], dice[:, found], hits.t[found]
        p = o[:, found] + d * distance
        bare = hits.normal[:, found]
        skin = self._surface(p, bare, hits.owner[found])
        above = p + bare * (0.002 * self.reach)
        light = self._direct(above, skin.normal, dice, bounces) + self._around(above, skin.normal, dice, bounces)
        shade = skin.albedo * light + skin.glow
        if bounces:
            tilt = unit(skin.normal + skin.blur * rng.standard_normal(d.shape, dtype=np.float32))
            cosine = np.clip(-dot(tilt, d), 0, 1)
            share = np.where(np.asarray(skin.mirror) > 0, skin.mirror + (1 - skin.mirror) * (1 - cosine) ** 5, 0)
            seen = np.flatnonzero(share > 0.01)
            if seen.size:
                away = d[:, seen] - 2 * dot(d[:, seen], tilt[:, seen]) * tilt[:, seen]
                below = np.minimum(dot(away, bare[:, seen]) - 0.02, 0)
                away = unit(away - 2 * below * bare[:, seen])
                back = self.radiance(above[:, seen], away, dice[:, seen], rng, bounces - 1)
                shade[:, seen] = mix(shade[:, seen], back, share[seen])
        if self.haze is not None:
            shade = mix(shade, *self.haze(d, distance))
        colour[:, found] = shade
        return colour

    def _surface(self, p: Array, bare: Array, owner: Array) -> Surface:
        """Ask the materials of all points."""
        count = p.shape[1]
        mirror, blur, glow = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros_like(p)
        skin = Surface(np.zeros_like(p), bare.copy(), mirror, blur, glow)
        order = np.argsort(owner, kind="stable")
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            part = self.shapes[owner[rows[0]]].material(p[:, rows], bare[:, rows])
            skin.albedo[:, rows], skin.normal[:, rows] = part.albedo, part.normal
            mirror[rows], blur[rows], glow[:, rows] = part.mirror, part.blur, part.glow
        return skin

    def _direct(self, p: Array, n: Array, dice: Array, bounces: int) -> Array:
        """Return the light that falls on points from the lamp or the sun."""
        total, count = np.zeros(p.shape, np.float32), self.lamp_rays if bounces else 1
        for turn in range(count):
            towards, distance, strength = self.light(p, (dice + 0.155 * turn) % 1)
            incidence = np.maximum(dot(n, towards), 0)
            facing = np.flatnonzero(incidence > 0)
            if facing.size:
                blocked = self.trace(p[:, facing], towards[:, facing], distance[facing]).owner >= 0
                incidence[facing] = np.where(blocked, 0, incidence[facing])
            total += strength * incidence / count
        return total

    def _around(self, p: Array, n: Array, dice: Array, bounces: int) -> Array:
        """Return the light that falls on points from all around, less where something is near."""
        if not bounces:
            return self.ambient(n, np.full(n.shape[1], 0.75, np.float32))
        turn, height = 2 * np.pi * dice[1], 2 * dice[0] - 1
        ring = np.sqrt(1 - height * height)
        towards = unit(n * 1.001 + np.stack([ring * np.cos(turn), height, ring * np.sin(turn)]).astype(np.float32))
        open_share = np.clip(self.trace(p, towards, np.float32(self.reach)).t / self.reach, 0, 1)
        return self.ambient(towards, open_share)


def leaves_of(parts: Sequence[Node]) -> Iterator[Shape]:
    """Yield the shapes of a tree of groups."""
    for part in parts:
        if isinstance(part, Group):
            yield from leaves_of(part.parts)
        elif isinstance(part, Shape):
            yield part


@dataclass(frozen=True)
class Camera:
    """A pinhole camera."""

    eye: Array
    target: Array
    field_of_view: float

    def rays(self, x: Array, y: Array, aspect: float) -> Array:
        """Return ray directions for picture positions from -1 to 1 (left to right, top to bottom)."""
        ahead = unit(self.target - self.eye)
        right = unit(np.cross(vec(0, 1, 0), ahead, axis=0))
        up = np.cross(ahead, right, axis=0)
        spread = np.tan(np.radians(self.field_of_view) / 2)
        return unit(ahead + right * (x * spread) - up * (y * spread / aspect)).astype(np.float32)


@dataclass(frozen=True)
class Shot:
    """A picture to take: the function that builds the scene, the size in pixels and rays per pixel and side."""

    build: Callable[[], Scene]
    camera: Camera
    width: int
    height: int
    oversampling: int
    seed: int


ROWS_PER_BAND = 12


@cache
def built(build: Callable[[], Scene]) -> Scene:
    """Return a scene, built once in each process."""
    return build()


def render_band(shot: Shot, top: int) -> Array:
    """Return some rows of a picture as linear light, shape (3, rows, width), each pixel the mean of many rays."""
    rows, finer = min(ROWS_PER_BAND, shot.height - top), shot.oversampling
    rng = np.random.default_rng((shot.seed, top))
    y, x = np.mgrid[0 : rows * finer, 0 : shot.width * finer].reshape(2, -1)
    jitter = rng.random((4, x.size), dtype=np.float32)
    across = (x + jitter[0]) / (shot.width * finer) * 2 - 1
    down = (y + jitter[1] + top * finer) / (shot.height * finer) * 2 - 1
    dice = np.asarray((np.stack([x, y]) % finer + jitter[2:]) / finer, dtype=np.float32)
    d = shot.camera.rays(across, down, shot.width / shot.height)
    o = np.broadcast_to(shot.camera.eye, d.shape)
    scene = built(shot.build)
    light = np.minimum(scene.radiance(o, d, dice, rng, scene.bounces), 6)
    return np.asarray(light.reshape(3, rows, finer, shot.width, finer).mean(axis=(2, 4)))


def render(shot: Shot) -> Array:
    """Return a picture as linear light, shape (height, width, 3)."""
    with ProcessPoolExecutor() as pool:
        bands = list(pool.map(partial(render_band, shot), range(0, shot.height, ROWS_PER_BAND)))
    return np.concatenate(bands, axis=1).transpose(1, 2, 0)


@dataclass(frozen=True)
class Film:
    """How light becomes a picture."""

    exposure: float
    contrast: float
    saturation: float
    vignette: float
    grain: float


def develop(light: Array, film: Film, seed: int) -> Image.Image:
    """Turn linear light into a picture: glow, vignette, film curve, contrast, saturation and grain."""
    height, width, _ = light.shape
    light = light * film.exposure
    bright = np.clip(light - 0.8, 0, 2)
    halo = Image.fromarray((bright * 127).astype(np.uint8)).filter(ImageFilter.GaussianBlur(width / 90))
    light = light + 0.18 * np.asarray(halo, dtype=np.float32) / 127
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = light * (1 - film.vignette * ((x * x + y * y) / 2) ** 1.5)[..., None]
    tone = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1) ** (1 / 2.2)
    tone = tone + film.contrast * (tone * tone * (3 - 2 * tone) - tone)
    grey = (tone @ np.array([0.30, 0.59, 0.11]))[..., None]
    tone = grey + (tone - grey) * film.saturation
    speckle = np.random.default_rng(seed).standard_normal((height, width, 1))
    tone = tone + film.grain * speckle * (0.4 + np.sqrt(np.clip(grey * (1 - grey), 0, 1)))
    return Image.fromarray((np.clip(tone, 0, 1) * 255 + 0.5).astype(np.uint8))


# --------------------------------------------------------------------------------------------------------------
# The harbor
# --------------------------------------------------------------------------------------------------------------

SUN = unit(vec(-0.74, 0.36, -0.52))
SUNLIGHT = rgb("#ffd2a0") * 3.4


def clouds(d: Array) -> Array:
    """Return the sky without land: a gradient with banks of cloud lit from behind the viewer."""
    up = np.maximum(d[1], 0.0)
    turn = np.arctan2(d[0], d[2])
    colour = mix(rgb("#f6cfae"), rgb("#bcc8dc"), ramp(up, 0.02, 0.16))
    colour = mix(colour, rgb("#5d8fcb"), ramp(up, 0.10, 0.42))
    x, y = turn * 5.2 + 3.0, up * 9.5

    def thickness(u: Array, v: Array) -> Array:
        warp = fractal(u * 0.8, v * 0.8, 3)
        body = fractal(u + 1.1 * warp, v + 0.9 * warp, 6)
        return np.asarray(body + 0.10 * np.sin(u * 1.1 + 2.2), dtype=np.float32)

    body = thickness(x, y)
    cover = ramp(body, 0.50, 0.66)
    relief = np.clip((body - thickness(x - 0.22, y + 0.20)) * 5.5 + 0.52, 0, 1)
    puff = mix(rgb("#8d93b4"), rgb("#fff0da"), relief) * (1.0 + 0.35 * relief)
    veil = ramp(fractal(x * 0.5 + 9, y * 2.4, 4), 0.45, 0.8) * 0.35
    colour = mix(colour, rgb("#ffe6d2"), veil)
    return mix(colour, puff, cover * 0.93 * ramp(up, 0.0, 0.06)) * 0.92


def harbor_backdrop(d: Array) -> Array:
    """Return the sky with hazy hills along the horizon."""
    colour = clouds(d)
    low = np.flatnonzero(d[1] < 0.16)
    if not low.size:
        return colour
    turn, up = np.arctan2(d[0, low], d[2, low]), d[1, low]
    land = colour[:, low]
    ridges = (
        (3.1, 0.050, 0.055, "#a9adc6", "#9aa3c0", 11.0),
        (4.7, 0.030, 0.060, "#8792a6", "#727f9c", 23.0),
        (7.3, 0.012, 0.050, "#8b9172", "#56667a", 41.0),
    )
    for pace, base, rise, sunny, shady, start in ridges:
        height = base + rise * (fractal(turn * pace + start, turn * 0 + start, 6) - 0.35)
        wood = fractal(turn * 90 + start, up * 160, 4)
        slope = ramp(fractal(turn * 14 + start, up * 30, 3), 0.35, 0.65)
        hill = mix(rgb(shady), rgb(sunny), slope) * (0.78 + 0.44 * wood) * 0.95
        hill = mix(hill, rgb("#d9c3b8"), 0.55 * np.clip(1 - up / 0.05, 0, 1) * (start < 40))
        land = mix(land, hill, ramp(height + 0.004 * wood - up, 0.0, 0.0012))
    colour[:, low] = land
    return colour


def sunshine(p: Array, dice: Array) -> tuple[Array, Array, Array]:
    """Return direction, distance and strength of sunlight."""
    spread = 0.02 * (np.stack([dice[0], dice[1], 1 - dice[0]]) - 0.5)
    return unit(SUN + spread).astype(np.float32), np.full(p.shape[1], FAR), SUNLIGHT


def skylight(towards: Array, open_share: Array) -> Array:
    """Return blue light from above and warm light from sunlit ground, fading into corners."""
    dome = mix(rgb("#b79c86") * 0.45, rgb("#a9c3ee") * 0.95, ramp(towards[1], -0.3, 0.5))
    return np.asarray(dome * (0.12 + 0.88 * open_share))


def sea_air(d: Array, distance: Array) -> tuple[Array, Array]:
    """Return the colour of the air in a direction and how much of it hides what is far away."""
    return mix(rgb("#f0c9a0"), rgb("#c9cfe0"), ramp(d[0], -0.5, 0.5)), 0.42 * (1 - np.exp(-distance / 140))


def rippled_water() -> Material:
    """Return a water surface: many small waves of all directions, calmer in some places."""
    rng = np.random.default_rng(21)
    count = 30
    length = 0.8 * 11 ** rng.random(count)
    heading = rng.normal(0.35, 0.75, count)
    waves = list(zip(length, np.cos(heading), np.sin(heading), rng.random(count) * 6.28, strict=True))

    def material(p: Array, n: Array) -> Surface:
        x, z = p[0], p[2]
        gust = 0.45 + 0.9 * fractal(x * 0.11 + 3, z * 0.05, 3)
        blind = (x * x + z * z) / 1900
        slope_x, slope_z = np.zeros_like(x), np.zeros_like(z)
        for wave, along_z, along_x, start in waves:
            k = 2 * np.pi / wave
            steepness = 0.017 * min(wave / 3.0, 1.0) * np.exp(-((blind / wave) ** 2))
            swing = steepness * np.cos(k * (along_x * x + along_z * z) + start)
            slope_x += swing * along_x
            slope_z += swing * along_z
        normal = unit(np.stack([-slope_x * gust, np.ones_like(x), -slope_z * gust])).astype(np.float32)
        deep = mix(rgb("#0e3a44"), rgb("#1c5a5c"), fractal(x * 0.2, z * 0.2, 3))
        return Surface(deep * 0.5, normal, 0.03, 0.004)

    return material


def masonry(frame: Frame, wide: float, high: float, stone: Array, joint: Array, wet: float = -9.0) -> Material:
    """Return a wall or a floor of stones laid in courses; stones below ``wet`` are dark and green."""

    def material(p: Array, n: Array) -> Surface:
        q, m = frame.local(p), frame.axes @ n
        flat = np.abs(m[1]) > 0.7
        s = np.where(np.abs(m[2]) > 0.7, q[0], np.where(flat, q[0], q[2]))
        v = np.where(flat, q[2], q[1])
        course = np.floor(v / high)
        s = s + wide * cell(course, course * 0, 3)
        block = np.floor(s / wide)
        edge = np.minimum(
            np.minimum(phase(s, wide), 1 - phase(s, wide)) * wide, np.minimum(phase(v, high), 1 - phase(v, high)) * high
        )
        tint = 0.70 + 0.45 * cell(block, course, 5) + 0.5 * (fractal(s * 4, v * 4, 4) - 0.5)
        colour = mix(joint, stone * tint, ramp(edge, 0.01, 0.05))
        slime = ramp(wet + 0.35 * fractal(q[0] * 1.3, q[1] * 1.3, 3) - q[1], -0.1, 0.2)
        return Surface(mix(colour, rgb("#26301f") * (0.6 + 0.6 * tint), slime), n)

    return material


def tiles(frame: Frame, colour: Array) -> Material:
    """Return a roof of curved tiles; local x runs along the ridge and local y down the slope."""

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p)
        row, column = np.floor(q[1] / 0.36), np.floor(q[0] / 0.30)
        tint = 0.62 + 0.55 * cell(row, column, 9) + 0.6 * (fractal(q[0] * 0.7, q[1] * 0.7, 4) - 0.5)
        lip = ramp(phase(q[1], 0.36), 0.74, 0.98)
        groove = np.cos(2 * np.pi * q[0] / 0.30)
        moss = ramp(fractal(q[0] * 0.9 + 7, q[1] * 0.9, 4), 0.56, 0.72) * 0.5
        shade = colour * (tint * (1 - 0.45 * lip) * (0.86 + 0.14 * groove))
        tilt = frame.axes[0][:, None] * (0.45 * np.sin(2 * np.pi * q[0] / 0.30))
        return Surface(mix(shade, rgb("#6b6a3c"), moss), unit(n + tilt))

    return material


@dataclass(frozen=True)
class House:
    """The measures and colours of one house; local x runs along the front, local z into the house."""

    frame: Frame
    width: float
    height: float
    depth: float
    rise: float
    gable: bool
    wall: Array
    trim: Array
    shutter: Array
    roof: Array
    planked: bool
    number: int

    @property
    def storeys(self) -> int:
        """Return the number of storeys."""
        return max(2, round(self.height / 3.0))


def facade(house: House) -> Material:
    """Return painted walls with doors, windows and shutters."""
    storey = house.height / house.storeys

    def material(p: Array, n: Array) -> Surface:
        q, m = house.frame.local(p), house.frame.axes @ n
        front = m[2] < -0.7
        s, v = np.where(np.abs(m[2]) > 0.7, q[0], q[2]), q[1]
        width = np.where(np.abs(m[2]) > 0.7, house.width, house.depth)
        colour, glow = _weathered(house, s, v), np.zeros_like(p)
        colour = _paint(colour, (s < 0.16) | (s > width - 0.16), house.trim)
        colour = _paint(colour, (np.abs(v - storey) < 0.10) & front, house.trim * 0.9)
        columns = np.maximum(np.round(width / 2.15), 2)
        attic = v > house.height
        pitch = np.where(attic, width, (width - 0.5) / columns)
        column = np.floor((s - np.where(attic, 0, 0.25)) / pitch)
        x = s - np.where(attic, 0, 0.25) - (column + 0.5) * pitch
        floor = np.floor(v / storey)
        y = v - floor * storey - 0.54 * storey
        luck = cell(column + 3 * house.number, floor + house.number * 11, 2)
        shop = (floor == 0) & front
        door = shop & (column == house.number % 3)
        half_w = np.where(attic, 0.42, np.where(shop & ~door, 0.62, 0.44))
        half_h = np.where(attic, 0.58, np.where(shop, 0.78, 0.76))
        y = np.where(door, y + 0.38, y)
        half_h = np.where(door, 1.2, half_h)
        ax, ay = np.abs(x), np.abs(y)
        paned = np.where(attic, front & (house.rise > 2.2) & (floor == house.storeys), column < columns) & (
            (s > 0.25) & (s < width - 0.25)
        )
        beside = (ax > half_w + 0.10) & (ax < half_w + 0.44) & (ay < half_h) & paned & ~shop & ~attic & front
        louvre = 0.72 + 0.42 * phase(v, 0.15)
        colour = np.where(beside, house.shutter * louvre, colour)
        colour = _paint(colour, (ax < half_w + 0.11) & (ay < half_h + 0.11) & paned, house.trim)
        sill = (ax < half_w + 0.2) & (y < -half_h - 0.05) & (y > -half_h - 0.17) & paned & ~door
        colour = _paint(colour, sill, house.trim * 0.75)
        under = (ax < half_w + 0.15) & (np.abs(y + half_h + 0.24) < 0.07) & paned & ~door
        colour = _paint(colour, under, house.wall * 0.45)
        glass = (ax < half_w) & (ay < half_h) & paned & ~door
        bars = glass & ((ax < 0.045) | (np.abs(y - half_h * 0.25) < 0.045) | (np.abs(y + half_h * 0.45) < 0.03))
        pane = glass & ~bars
        curtain = 0.5 + 0.5 * noise(x * 9 + 31 * luck, y * 2 + luck * 17)
        inside = np.where(luck > 0.5, rgb("#3b3f46") * curtain, rgb("#14181e"))
        colour = np.where(glass, np.where(bars, house.trim, inside), colour)
        colour = np.where(glass & (y > half_h - 0.13), colour * 0.35, colour)
        colour = np.where(glass & (x < -half_w + 0.08), colour * 0.5, colour)
        lamp = pane & (luck > 0.86)
        glow = np.where(lamp, rgb("#ffb860") * (0.5 + 0.5 * curtain) * 0.8, glow)
        panel = door & (ax < half_w) & (ay < half_h) & paned
        boards = 0.55 + 0.45 * ((phase(x + 5, 0.22) > 0.12) & (np.abs(ay - 0.55) > 0.06))
        colour = np.where(panel, house.shutter * boards, colour)
        tilt = m * 0 + np.where(pane, 0.03, 0.0) * np.stack([luck - 0.5, 1.2 * curtain - 0.6, luck * 0])
        normal = unit(n + house.frame.axes.T @ tilt).astype(np.float32)
        return Surface(colour, normal, np.where(pane, 0.16, 0.0), 0.0, glow)

    return material


def _paint(colour: Array, where: Array, paint: Array) -> Array:
    """Return a colour painted over in some places."""
    return np.where(where, paint, colour)


def _weathered(house: House, s: Array, v: Array) -> Array:
    """Return the wall paint of a house with planks or plaster, stains and streaks."""
    stain = fractal(s * 0.8 + 13 * house.number, v * 0.8, 4)
    streak = fractal(s * 5 + 3 * house.number, v * 0.35, 3)
    colour = house.wall * (0.70 + 0.42 * stain + 0.22 * streak)
    if house.planked:
        joint = phase(v, 0.23)
        board = cell(np.floor(v / 0.23), np.floor(s / 3.1), house.number)
        colour = colour * ((0.93 + 0.14 * board) * (1 - 0.45 * ramp(joint, 0.80, 0.95)))
    else:
        bare = ramp(fractal(s * 0.9 + 5, v * 0.9 + 7 * house.number, 5), 0.60, 0.66)
        colour = mix(colour, rgb("#a5907c") * (0.8 + 0.4 * streak), bare * 0.8)
        colour = colour * (0.9 + 0.2 * fractal(s * 11, v * 11, 3))
    return mix(colour, colour * 0.55, ramp(0.9 + 0.6 * (stain - 0.5) - v, 0, 0.9) * 0.6)


def build_house(house: House) -> Group:
    """Return a house with its roof and chimney."""
    wall, f = facade(house), house.frame
    w, h, dp, rise = house.width, house.height, house.depth, house.rise
    run = (w if house.gable else dp) / 2
    slope = float(np.hypot(run, rise))
    ridge = vec(w / 2, h + rise, dp / 2)
    across = vec(1, 0, 0) if house.gable else vec(0, 0, 1)
    along = vec(0, 0, 1) if house.gable else vec(1, 0, 0)
    normals = [unit(vec(0, run, 0) + sign * rise * across) for sign in (-1, 1)]
    body = cut_box(f, vec(0, -1, 0), vec(w, h + rise, dp), wall, [(normal, ridge) for normal in normals])
    parts: list[Node] = [body]
    length, over = (dp if house.gable else w), 0.30
    for sign, normal in zip((-1, 1), normals, strict=True):
        down = (sign * run * across - vec(0, rise, 0)) / slope
        start = ridge - along * (length / 2 + over) - normal * 0.02
        axes = np.concatenate([along.T, down.T, normal.T]) @ f.axes
        slab = Frame(f.axes.T @ start + f.origin, np.asarray(axes, dtype=np.float32))
        low, high = vec(0, -0.06, 0), vec(length + 2 * over, slope + 0.40, 0.2)
        parts.append(box(slab, low, high, tiles(slab, house.roof)))
    x, z = (0.30 * w, 0.5 * dp) if house.gable else (0.22 * w, 0.42 * dp)
    brick = masonry(f, 0.24, 0.09, rgb("#9a5a44"), rgb("#8d8177"))
    parts.append(box(f, vec(x - 0.35, h + 0.3 * rise, z - 0.35), vec(x + 0.35, h + rise + 0.9, z + 0.35), brick))
    cap = plain(rgb("#6d6862"))
    parts.append(box(f, vec(x - 0.45, h + rise + 0.9, z - 0.45), vec(x + 0.45, h + rise + 1.05, z + 0.45), cap))
    if not house.gable and house.number % 2:
        parts.extend(_dormer(house))
    return Group.of(parts)


def _dormer(house: House) -> list[Node]:
    """Return a small gabled house that stands on the roof."""
    width = 1.9
    place = house.frame.at(house.width / 2 - width / 2, house.height - 0.1, 0.55)
    window = plain(rgb("#1d2630"), 0.1)
    pane = box(place, vec(0.5, 0.35, -0.02), vec(1.4, 1.45, 0.2), window)
    bar = box(place, vec(0.91, 0.35, -0.05), vec(0.99, 1.45, 0.2), plain(house.trim))
    border = box(place, vec(0.4, 0.25, -0.01), vec(1.5, 1.55, 0.2), plain(house.trim))
    cheeks = plain(house.wall)
    top = vec(width / 2, 2.5, 0)
    slopes = [(vec(sign * 0.9, 0.95, 0), top) for sign in (-1, 1)]
    body = cut_box(place, vec(0, -0.5, 0), vec(width, 2.5, 3.0), cheeks, slopes)
    roof: list[Node] = []
    for sign in (-1, 1):
        down = unit(vec(sign * 0.95, -0.9, 0))
        normal = unit(vec(sign * 0.9, 0.95, 0))
        axes = np.concatenate([vec(0, 0, 1).T, down.T, normal.T]) @ place.axes
        slab = Frame(place.world(width / 2, 2.5, -0.2), np.asarray(axes, dtype=np.float32))
        roof.append(box(slab, vec(0, -0.05, 0), vec(3.2, 1.5, 0.12), tiles(slab, house.roof)))
    return [body, border, pane, bar, *roof]


HOUSE_COLOURS = (
    ("#b5432f", "#f2e9da", "#2f4a3c", "#a8583a"),
    ("#dda648", "#f6efe0", "#3f6b57", "#9c4f35"),
    ("#f0e6d2", "#c9b79a", "#4f7d8c", "#b0603f"),
    ("#55819a", "#f4efe6", "#8c3b2e", "#8a4a35"),
    ("#d97f5f", "#f3e6d6", "#2e5f6e", "#a5573c"),
    ("#87966c", "#f1ead9", "#7a3f2e", "#9b5038"),
    ("#d9a38f", "#faf2e6", "#5a6f45", "#ad5f42"),
    ("#b5332f", "#f1e4d0", "#d8b25a", "#84452f"),
    ("#e3c170", "#fbf4e2", "#37618a", "#a65638"),
    ("#5aa39a", "#f5eee0", "#b0563c", "#95503a"),
)


def house_row(start: Frame, number: int, count: int, seed: int) -> list[Node]:
    """Return houses side by side along the first axis of a frame."""
    rng = np.random.default_rng(seed)
    houses: list[Node] = []
    x = 0.0
    for i in range(number, number + count):
        width = float(rng.uniform(4.8, 7.2))
        gable = bool(rng.random() < 0.5)
        wall, trim, shutter, roof = (rgb(code) for code in HOUSE_COLOURS[i % len(HOUSE_COLOURS)])
        place = start.at(x, 0, float(rng.uniform(0, 0.7)))
        height = float(rng.uniform(6.0, 9.8))
        rise = float(rng.uniform(2.4, 3.6)) if gable else float(rng.uniform(2.2, 3.0))
        house = House(place, width, height, 9.0, rise, gable, wall, trim, shutter, roof, bool(rng.random() < 0.5), i)
        houses.append(build_house(house))
        x += width + 0.04
    return houses


def tree(x: float, y: float, z: float, size: float, seed: int) -> Group:
    """Return a tree: a trunk under a heap of leafy clumps."""
    rng = np.random.default_rng(seed)

    def foliage(p: Array, n: Array) -> Surface:
        leaf = solid_noise(p, 4.7)
        tone = mix(rgb("#2c4a22"), rgb("#9aa648"), ramp(leaf, 0.3, 0.75))
        return Surface(tone, bumped(n, p, lambda q: solid_noise(q, 5.0), 0.9, 0.05))

    clumps: list[Node] = [rod(vec(x, y, z), vec(x, y + size, z), 0.09 * size, mottled(rgb("#5c4635"), 6.0))]
    for _ in range(110):
        spot = rng.normal(0, 1, 3)
        spot = spot / np.linalg.norm(spot) * size * rng.uniform(0.35, 0.95)
        place = vec(x + spot[0], y + 1.75 * size + 0.85 * spot[1], z + spot[2])
        clumps.append(ball(place, size * float(rng.uniform(0.09, 0.20)), foliage))
    return Group.of(clumps)


def church(x: float, y: float, z: float) -> Group:
    """Return a church tower with a green copper spire."""
    place = Frame.turned(x, y, z, 12)
    stone = masonry(place, 0.9, 0.45, rgb("#d8c3a0"), rgb("#a08c70"))
    dark, copper = plain(rgb("#23262b")), mottled(rgb("#5f9c86"), 1.8, 0.45)
    parts: list[Node] = [box(place, vec(-2.2, 0, -2.2), vec(2.2, 13, 2.2), stone)]
    parts.append(box(place, vec(-2.5, 12.6, -2.5), vec(2.5, 13.1, 2.5), plain(rgb("#e6d6b8"))))
    parts.append(box(place, vec(-2.5, 8.6, -2.5), vec(2.5, 8.9, 2.5), plain(rgb("#e6d6b8"))))
    for across in (-0.9, 0.9):
        parts.append(box(place, vec(across - 0.45, 9.4, -2.25), vec(across + 0.45, 11.9, 0), dark))
        parts.append(box(place, vec(-2.25, 9.4, across - 0.45), vec(0, 11.9, across + 0.45), dark))
    clock = Frame(place.world(0, 7.4, -2.2), place.axes)
    parts.append(ellipsoid(clock, 0.95, 0.95, 0.08, plain(rgb("#f3ead2"))))
    parts.append(rod(clock.world(0, 0, -0.1), clock.world(0.15, 0.75, -0.1), 0.06, dark))
    parts.append(rod(clock.world(0, 0, -0.1), clock.world(0.5, -0.2, -0.1), 0.06, dark))
    peak = vec(0, 20.6, 0)
    faces = [vec(np.cos(a) * 7.6, 2.2, np.sin(a) * 7.6) for a in np.arange(8) * np.pi / 4]
    parts.append(cut_box(place, vec(-2.3, 13, -2.3), vec(2.3, 20.6, 2.3), copper, [(n, peak) for n in faces]))
    parts.append(rod(place.world(0, 20.2, 0), place.world(0, 21.8, 0), 0.07, plain(rgb("#d9b24a"))))
    parts.append(ball(place.world(0, 20.6, 0), 0.22, plain(rgb("#d9b24a"))))
    return Group.of(parts)


def hull(frame: Frame, length: float, beam: float, side: float, paint: Array, stripe: Array) -> Implicit:
    """Return an open wooden hull; local x runs to the bow and the waterline is at y = 0."""

    def rim(s: Array) -> Array:
        return np.asarray(side * (1 + 0.42 * s * s + 0.22 * s))

    def breadth(s: Array, y: Array) -> Array:
        plan = np.maximum(1 - np.abs(np.where(s > 0, s, 0.82 * s)) ** 2.6, 0) ** 0.75
        flare = 0.62 + 0.38 * np.sqrt(np.clip((y + 0.5 * side) / (1.6 * side), 0, 1.3))
        return np.asarray(beam / 2 * plan * flare)

    def distance(q: Array) -> Array:
        s = (q[0] - 0.3 * q[1]) * (2 / length)
        w, top = breadth(s, q[1]), rim(s)
        outer = np.maximum(np.abs(q[2]) - w, np.maximum(q[1] - top, -0.6 * side - q[1]))
        outer = np.maximum(outer, np.abs(q[0]) - length / 2)
        inner = np.maximum(np.abs(q[2]) - (w - 0.07), np.maximum(0.45 * side - q[1], 0.1 - length / 2 - q[0]))
        return np.asarray(np.maximum(outer, -inner) * 0.55)

    def material(p: Array, n: Array) -> Surface:
        q, m = frame.local(p), frame.axes @ n
        s = q[0] * (2 / length)
        top = rim(s)
        grain = fractal(q[0] * 1.5, q[1] * 14 + q[2] * 9, 4)
        plank = phase(q[1] - 0.3 * side * s * s, 0.17)
        colour = paint * (0.78 + 0.35 * grain) * (1 - 0.4 * ramp(plank, 0.84, 0.97))
        colour = np.where(top - q[1] < 0.22 * side, stripe * (0.85 + 0.3 * grain), colour)
        foot = ramp(0.16 * side + 0.08 * (grain - 0.5) - q[1], 0, 0.03)
        colour = mix(colour, rgb("#5a2a22") * (0.7 + 0.6 * grain), foot)
        inward = (m[2] * q[2] < -0.03) | (m[1] > 0.6)
        wood = mix(rgb("#6b4526"), rgb("#c08c55"), grain)
        wood = wood * np.where(top - q[1] < 0.04, 1.15, 0.8 - 0.3 * (phase(q[2], 0.2) > 0.88))
        return Surface(np.where(inward, wood, colour), n, np.where(inward, 0.0, 0.03), 0.02)

    centre = frame.world(0, 0.3 * side, 0)
    return Implicit(centre, float(np.hypot(length / 2, beam / 2)) + 0.3, material, frame, distance)


WOOD = rgb("#a9743f")


def rowing_boat(frame: Frame, paint: str, stripe: str) -> Group:
    """Return an open rowing boat with benches and oars."""
    parts: list[Node] = [hull(frame, 4.4, 1.7, 0.52, rgb(paint), rgb(stripe))]
    plank = mottled(WOOD, 7.0, 0.35)
    for x in (-1.2, 0.0, 1.1):
        parts.append(box(frame, vec(x - 0.14, 0.36, -0.66), vec(x + 0.14, 0.41, 0.66), plank))
    for z in (-0.3, 0.25):
        parts.append(rod(frame.world(-1.7, 0.52, z), frame.world(1.2, 0.60, z * 1.4), 0.035, plank))
    return Group.of(parts)


def sailing_boat(frame: Frame, size: float, paint: str, stripe: str, canvas: str) -> Group:
    """Return a wooden sailing boat with a cabin, a mast, rigging and a furled sail."""
    length, side = 7.5 * size, 0.85 * size
    parts: list[Node] = [hull(frame, length, 2.5 * size, side, rgb(paint), rgb(stripe))]
    varnish, line = mottled(WOOD, 5.0, 0.3, 0.03, 0.03), plain(rgb("#3a332c"))
    white, dark = mottled(rgb("#efe6d4"), 4.0, 0.2), plain(rgb("#1a222a"), 0.08)
    low, high = vec(-0.1 * length, 0.4 * side, -0.75 * size), vec(0.32 * length, 0.98 * side, 0.75 * size)
    parts.append(box(frame, low, high, varnish))
    low, high = vec(-0.14 * length, 0.7 * side, -0.62 * size), vec(0.16 * length, 1.75 * side, 0.62 * size)
    parts.append(box(frame, low, high, white))
    parts.append(box(frame, low + vec(-0.1, 1.05 * side, -0.06), high + vec(0.12, 0.07, 0.06), varnish))
    for x in np.linspace(-0.09, 0.11, 4) * length:
        low, high = vec(x - 0.18, 1.28 * side, -0.63 * size), vec(x + 0.18, 1.58 * side, 0.63 * size)
        parts.append(box(frame, low, high, dark))
    foot, head = frame.world(0.1 * length, 0.9 * side, 0), frame.world(0.09 * length, 1.30 * length, 0)
    bow, stern = frame.world(0.56 * length, 1.65 * side, 0), frame.world(-0.47 * length, 1.25 * side, 0)
    parts.append(rod(foot, head, 0.075 * size, varnish))
    sprit = frame.world(0.42 * length, 1.4 * side, 0), frame.world(0.60 * length, 1.75 * side, 0)
    parts.append(rod(*sprit, 0.05 * size, varnish))
    boom = frame.world(-0.42 * length, 2.3 * side, 0)
    parts.append(rod(frame.world(0.1 * length, 2.15 * side, 0), boom, 0.05 * size, varnish))
    for t in np.linspace(0.06, 0.88, 9):
        middle = frame.world((0.1 - 0.52 * t) * length, (2.32 + 0.14 * t) * side, 0)
        bundle = Frame(middle, frame.axes)
        thick = float(0.19 - 0.09 * t) * size
        parts.append(ellipsoid(bundle, 0.055 * length, thick, thick, mottled(rgb(canvas), 6.0, 0.35)))
    spread = mix(foot, head, 0.62)
    stays = [(head, bow), (head, stern), (spread, bow), (head, boom)]
    for z in (-1.1, 1.1):
        for x in (0.0, 0.08, 0.16):
            stays.append((mix(foot, head, 0.93 if x == 0.08 else 0.62), frame.world(x * length, 1.1 * side, z * size)))
    parts += [rod(a, b, 0.018, line) for a, b in stays]
    tip = frame.at(0.09 * length, 1.30 * length, 0)
    parts.append(box(tip, vec(-0.8, -0.45, -0.01), vec(0, -0.05, 0.01), plain(rgb(stripe))))
    for x in (-0.3, -0.05, 0.25):
        for z in (-1.24, 1.24):
            fender = frame.at(x * length, 0.55 * side, z * size * 0.93)
            parts.append(ellipsoid(fender, 0.12, 0.26, 0.12, plain(rgb("#e87a33"), 0.03)))
    return Group.of(parts)


def quay_things(quay: Frame, length: float, seed: int) -> list[Node]:
    """Return what stands on a quay: bollards, lamps, crates, barrels and striped awnings."""
    rng = np.random.default_rng(seed)
    iron, crate = mottled(rgb("#2f3336"), 5.0), mottled(rgb("#b58a55"), 6.0, 0.4)
    things: list[Node] = []
    for x in np.arange(2.0, length, 5.2):
        things.append(rod(quay.world(x, 0, 0.5), quay.world(x, 0.55, 0.5), 0.16, iron))
        things.append(ball(quay.world(x, 0.6, 0.5), 0.21, iron))
    for x in np.arange(4.0, length, 9.0):
        things.append(rod(quay.world(x, 0, 1.6), quay.world(x, 3.6, 1.6), 0.06, iron))
        things.append(ball(quay.world(x, 3.75, 1.6), 0.22, plain(rgb("#ffdf9e"), glow=0.9)))
    for x in rng.uniform(1, length - 1, 12):
        size = float(rng.uniform(0.25, 0.45))
        place = quay.at(float(x), 0, float(rng.uniform(0.9, 2.6)))
        things.append(box(place, vec(-size, 0, -size), vec(size, 1.6 * size, size), crate))
    for x in np.arange(6.5, length - 3, 11.5):
        things.append(_awning(quay.at(float(x), 0, 3.0), rng.choice(["#c23a2e", "#2f6f8f", "#3d7a4f"])))
    return [Group.of(things)]


def _awning(place: Frame, colour: str) -> Group:
    """Return a market stall under a striped awning."""

    def striped(p: Array, n: Array) -> Surface:
        band = phase(place.local(p)[0] + 9, 0.6) < 0.5
        return Surface(np.where(band, rgb(colour), rgb("#f6eedd")), n)

    cloth = cut_box(
        place, vec(0, 1.9, -1.2), vec(3.6, 3.2, 0.8), striped,
        [(vec(0, 2, -1), vec(0, 2.8, 0.4)), (vec(0, -2, 1), vec(0, 2.66, 0.4))],
    )  # fmt: skip
    pole, fruit = plain(rgb("#efe6d4")), ("#e2902c", "#c63a2b", "#d9c545", "#6f9b3c")
    parts: list[Node] = [cloth, box(place, vec(0.2, 0, -0.6), vec(3.4, 0.9, 0.4), mottled(WOOD, 6.0))]
    for i in range(26):
        spot = place.world(0.4 + 0.11 * i, 0.98, -0.45 + 0.22 * (i * 7 % 4))
        parts.append(ball(spot, 0.13, plain(rgb(fruit[i // 7]), 0.03)))
    parts += [rod(place.world(x, 0, -0.9), place.world(x, 2.3, -0.9), 0.035, pole) for x in (0.1, 3.5)]
    return Group.of(parts)


def gull(x: float, y: float, z: float, span: float, roll: float) -> Group:
    """Return a gliding gull, as seen from afar."""
    white, grey = plain(rgb("#f7f2ea")), plain(rgb("#8a8f98"))
    place = Frame.turned(x, y, z, roll)
    parts: list[Node] = [ellipsoid(place, 0.10 * span, 0.07 * span, 0.24 * span, white)]
    for side in (-1, 1):
        elbow, tip = place.world(side * 0.25 * span, 0.14 * span, 0), place.world(side * 0.55 * span, 0.05 * span, -0.1)
        parts.append(rod(place.world(0, 0, 0), elbow, 0.035 * span, white))
        parts.append(rod(elbow, tip, 0.028 * span, grey))
    return Group.of(parts)


def harbor_scene() -> Scene:
    """Return an old town by the water in the light of a late afternoon."""
    far_quay = Frame.turned(-15.5, 1.3, 50.0, -3.0)
    near_quay = Frame.turned(8.6, 1.3, 48.8, -70.0)
    stone, joint = rgb("#a89880"), rgb("#4d463d")
    parts: list[Node] = []
    for quay, length in ((far_quay, 28.0), (near_quay, 36.0)):
        wall = masonry(quay, 1.1, 0.42, stone, joint, wet=-0.85)
        parts.append(box(quay, vec(-0.5, -2.5, 0), vec(length, 0, 40), wall))
        parts += quay_things(quay, length - 6, 5 if quay is far_quay else 6)
    parts += house_row(far_quay.at(1.0, 0, 5.0), 0, 4, 14)
    parts += house_row(near_quay.at(0.5, 0, 4.5), 4, 5, 33)
    parts += house_row(Frame.turned(-9.0, 4.5, 69.0, -5), 3, 5, 8)
    parts += house_row(Frame.turned(2.0, 8.5, 84.0, 4), 8, 5, 19)
    parts.append(church(-3.5, 4.0, 66.0))
    parts += [tree(-14.0, 1.2, 58.0, 2.6, 3), tree(-10.5, 1.6, 66.0, 3.2, 4), tree(21.5, 6.5, 68.0, 4.0, 5)]
    water = Plane(vec(0, 0, 0), np.inf, rippled_water(), vec(0, 1, 0))
    parts.append(water)
    parts.append(sailing_boat(Frame.turned(-6.6, 0, 27.5, 168), 1.0, "#f2eee4", "#2c5d8a", "#8c4a34"))
    parts.append(sailing_boat(Frame.turned(6.2, 0, 38.0, 25), 1.05, "#2f6a63", "#f0e4c8", "#e6d7b5"))
    parts.append(sailing_boat(Frame.turned(13.6, 0, 31.0, 112), 0.95, "#b23a2c", "#f2ead8", "#d9c7a0"))
    parts.append(sailing_boat(Frame.turned(-22.0, 0, 74.0, 200), 1.2, "#e9e2d2", "#8c3b2e", "#efe6d2"))
    parts.append(rowing_boat(Frame.turned(1.0, 0, 20.6, -16), "#d8a23c", "#2d5d78"))
    parts.append(rowing_boat(Frame.turned(6.6, 0, 22.5, 196), "#3f7fa6", "#f2ead6"))
    parts.append(rowing_boat(Frame.turned(-3.0, 0, 44.5, 170), "#b8402f", "#f2ead6"))
    pile, hemp = mottled(rgb("#6a5138"), 3.0, 0.5), plain(rgb("#c9ae7d"))
    for x, z, top in ((-4.9, 13.5, 1.5), (-5.7, 14.6, 1.25), (9.6, 21.0, 1.3)):
        parts.append(Group.of([rod(vec(x, -1, z), vec(x, top, z), 0.17, pile), ball(vec(x, top, z), 0.17, pile)]))
    parts.append(rope(vec(-4.9, 1.2, 13.5), vec(-1.1, 0.75, 20.9), 0.5, 0.03, hemp))
    parts.append(rope(vec(-5.7, 1.0, 14.6), vec(-4.2, 1.0, 25.5), 0.7, 0.03, hemp))
    for x, y, z, span in ((-7.5, 13.0, 38.0, 1.5), (-10.6, 11.4, 41.0, 1.4), (-4.6, 14.6, 46.0, 1.3)):
        parts.append(gull(x, y, z, span, 25 + 9 * x))
    return Scene(parts, harbor_backdrop, sunshine, skylight, 5.0, haze=sea_air)


HARBOR_CAMERA = Camera(vec(0, 4.6, 0), vec(0.4, 6.2, 50), 48.0)


# --------------------------------------------------------------------------------------------------------------
# The still life
# --------------------------------------------------------------------------------------------------------------

WINDOW = vec(-8.5, 7.5, -5.0)
WINDOW_ACROSS = unit(vec(-0.5, 0.0, 0.85))
WINDOW_UP = unit(np.cross(unit(WINDOW), WINDOW_ACROSS, axis=0))
WINDOW_SIZE = (1.05, 1.5)


def room(d: Array) -> Array:
    """Return what a shiny surface sees: a dim warm room and a bright window with glazing bars."""
    ahead = dot(unit(WINDOW), d)
    depth = np.where(ahead > 0.05, ahead, 1e9) / float(np.linalg.norm(WINDOW))
    a, b = dot(WINDOW_ACROSS, d) / depth, dot(WINDOW_UP, d) / depth
    pane = (np.abs(a) < WINDOW_SIZE[0]) & (np.abs(b) < WINDOW_SIZE[1]) & (ahead > 0.05)
    pane &= (np.abs(a) > 0.10) & (np.abs(b - 0.4) > 0.10)
    dim = mix(rgb("#2a2018"), rgb("#8c8478"), ramp(d[1] - 0.5 * d[0], -0.6, 1.2))
    return np.where(pane, rgb("#fff3df") * 7.0, dim)


def window_light(p: Array, dice: Array) -> tuple[Array, Array, Array]:
    """Return direction, distance and strength of the light from a point of the window."""
    a, b = (2 * dice[0] - 1) * WINDOW_SIZE[0], (2 * dice[1] - 1) * WINDOW_SIZE[1]
    way = WINDOW + WINDOW_ACROSS * a + WINDOW_UP * b - p
    distance = np.sqrt(dot(way, way))
    strength = rgb("#fff0d8") * (2.6 * float(dot(WINDOW, WINDOW)[0]) / distance**2)
    return np.asarray(way / distance, np.float32), distance.astype(np.float32), np.asarray(strength, np.float32)


def room_light(towards: Array, open_share: Array) -> Array:
    """Return the light of the room's walls, fading to warm brown where things touch."""
    walls = mix(rgb("#6b5138"), rgb("#a7acb5"), ramp(towards[1], -0.4, 0.8)) * 0.62
    return mix(rgb("#6a452a") * 0.12, walls, open_share**0.6)


def table_top(p: Array, n: Array) -> Surface:
    """Return varnished planks with grain, knots and gaps."""
    x, z = p[0] * 0.99 + p[2] * 0.12, p[2] * 0.99 - p[0] * 0.12
    board = np.floor(z / 1.35)
    shift = 40 * cell(board, board * 0, 4)
    warp = fractal(x * 0.28 + shift, z * 0.9 + shift, 3)
    rings = phase(z * 1.3 + 5.0 * warp + shift, 0.42)
    fibre = fractal(x * 1.6 + shift, z * 34, 4)
    pores = ramp(fractal(x * 3 + shift, z * 60 + 7, 3), 0.62, 0.75)
    tone = 0.55 * np.abs(2 * rings - 1) + 0.45 * fibre
    colour = mix(rgb("#6a3d1e"), rgb("#b97f47"), tone) * (0.75 + 0.5 * cell(board, board * 0, 8))
    gap = np.minimum(phase(z, 1.35), 1 - phase(z, 1.35)) * 1.35
    colour = colour * (1 - 0.55 * pores) * mix(0.12, 1.0, ramp(gap, 0.012, 0.04))
    tilt = np.stack([0 * x, 0 * x, 0.10 * (fibre - 0.5) - 0.05 * pores])
    return Surface(colour, unit(n + tilt).astype(np.float32), 0.035, 0.035)


def wallpaper(p: Array, n: Array) -> Surface:
    """Return a papered wall with rows of leaf sprigs."""
    row = np.floor(p[1] / 1.7)
    x = (phase(p[0] + 0.6 * row, 1.2) - 0.5) * 1.2
    y = (phase(p[1], 1.7) - 0.5) * 1.7
    stem = (np.abs(x - 0.05 * np.sin(4 * y)) < 0.018) & (np.abs(y) < 0.62)
    leaf = np.zeros(x.shape, bool)
    vein = np.zeros(x.shape, bool)
    for height, reach in ((-0.42, 0.30), (-0.12, 0.34), (0.18, 0.28), (0.42, 0.2)):
        for side in (-1, 1):
            a = 0.75 * side * (x - 0.05 * np.sin(4 * y)) + 0.66 * (y - height)
            b = -0.66 * side * (x - 0.05 * np.sin(4 * y)) + 0.75 * (y - height)
            blade = (a > 0) & (a < reach) & (np.abs(b) < 0.32 * reach * np.sin(np.pi * np.clip(a / reach, 0, 1)))
            leaf |= blade
            vein |= blade & (np.abs(b) < 0.008)
    dots = np.hypot(np.abs(x) - 0.42, np.abs(y) - 0.6) < 0.05
    fibre = 0.85 + 0.3 * fractal(p[0] * 14, p[1] * 14, 3)
    stain = 0.8 + 0.4 * fractal(p[0] * 0.4, p[1] * 0.4, 4)
    colour = np.where(leaf | stem, rgb("#7f9878"), rgb("#46635e"))
    colour = np.where(vein, rgb("#5b7d68"), np.where(dots, rgb("#b8965c"), colour))
    return Surface(colour * (fibre * stain), n)


def gingham(frame: Frame) -> Material:
    """Return a woven cloth with blue and white checks and gentle folds."""

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p)
        x, z = q[0] + 0.05 * np.sin(q[2] * 1.7), q[2] + 0.05 * np.sin(q[0] * 1.3)
        warp, weft = phase(x, 0.56) < 0.5, phase(z, 0.56) < 0.5
        blue, white = rgb("#274f86"), rgb("#f3ece0")
        colour = np.where(warp & weft, blue, np.where(warp | weft, mix(blue, white, 0.5), white))
        thread = 0.82 + 0.18 * np.sin(q[0] * 95) * np.sin(q[2] * 95) + 0.25 * (fractal(q[0] * 9, q[2] * 9, 3) - 0.5)
        hem = (np.abs(q[0]) > 2.42) | (np.abs(q[2]) > 1.92)
        colour = np.where(hem, white * 0.92, colour)
        fold = 0.16 * np.cos(q[0] * 1.9 + 0.8 * np.sin(q[2])) + 0.10 * np.cos(q[2] * 2.6 + q[0])
        tilt = frame.axes[0][:, None] * fold + frame.axes[2][:, None] * (0.5 * fold)
        return Surface(colour * thread, unit(n + tilt * (dot(n, vec(0, 1, 0)) > 0.5)).astype(np.float32))

    return material


def vase(frame: Frame) -> Implicit:
    """Return a porcelain vase with cobalt blue brushwork."""

    def profile(y: Array) -> Array:
        body = 0.95 * np.sqrt(np.maximum(1 - ((y - 1.15) / 1.35) ** 2, 0.0))
        neck = 0.40 + 0.22 * ramp(y, 2.35, 2.95)
        blend = np.clip((y - 1.85) / 0.55, 0, 1)
        return np.asarray(mix(np.maximum(body, 0.5), neck, blend * blend * (3 - 2 * blend)))

    def distance(q: Array) -> Array:
        r = np.hypot(q[0], q[2])
        wall = np.maximum(r - profile(q[1]), np.maximum(-q[1], q[1] - 2.95))
        hollow = np.maximum(r - profile(q[1]) + 0.09, 2.0 - q[1])
        return np.asarray(np.maximum(wall, -hollow) * 0.6)

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p)
        turn, y = np.arctan2(q[2], q[0]), q[1]
        brush = fractal(turn * 5, y * 5, 4)
        ink = np.zeros(y.shape, np.float32)
        for low, high in ((0.16, 0.24), (0.34, 0.37), (1.98, 2.02), (2.08, 2.16), (2.80, 2.88)):
            ink = np.maximum(ink, ramp(0.5 * (high - low) - np.abs(y - 0.5 * (low + high)), -0.012, 0.012))
        petals = np.abs(np.cos(turn * 8))
        ink = np.maximum(ink, ((y > 0.4) & (y < 0.42 + 0.25 * petals) & (y > 0.34 + 0.25 * petals)).astype(np.float32))
        across = (phase(turn + 0.3, np.pi / 3) - 0.5) * np.pi / 3 * 0.95
        up = y - 1.25
        radius, angle = np.hypot(across, up), np.arctan2(up, across)
        flower = 0.30 * (0.62 + 0.38 * np.abs(np.cos(2.5 * angle)))
        ink = np.maximum(ink, (radius < flower) * mix(0.95, 0.35, ramp(radius / flower, 0.2, 0.85)))
        ink = np.maximum(ink, ((radius < flower) & (radius > flower - 0.03)) * 0.95)
        ink = np.where(radius < 0.07, 0.05, ink)
        swirl = np.abs(up - 0.42 * np.sin(turn * 3 + 0.9)) < 0.022
        ink = np.maximum(ink, (swirl & (radius > flower + 0.03) & (np.abs(up) < 0.6)) * 0.9)
        for start in (0.0, 1.05):
            bud = np.hypot((phase(turn + start, 2.094) - 0.5) * 2.0, (up - 0.48 + 0.95 * (start > 0)) * 1.0)
            ink = np.maximum(ink, (bud < 0.11) * mix(0.9, 0.4, ramp(bud, 0.02, 0.1)))
        colour = mix(rgb("#efeee6"), rgb("#1c3f8f"), np.clip(ink * (0.75 + 0.5 * brush), 0, 1))
        return Surface(colour, n, 0.05, 0.004)

    return Implicit(frame.world(0, 1.5, 0), 1.85, material, frame, distance, 64)


def apple(frame: Frame, size: float, ripe: str, pale: str) -> Group:
    """Return a streaked apple with a stem."""

    def distance(q: Array) -> Array:
        r = np.hypot(q[0], q[2]) / size
        y = q[1] / size
        tall = y * (1.06 + 0.10 * y)
        return np.asarray((np.hypot(r - 0.40, tall) - 0.62) * (0.8 * size))

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p) / size
        turn, r = np.arctan2(q[2], q[0]), np.hypot(q[0], q[2])
        streak = fractal(np.cos(turn) * 9 + q[1] * 0.7, np.sin(turn) * 9 - q[1] * 0.5, 4)
        blush = fractal(q[0] * 1.2 + 4, q[1] * 0.9 + q[2], 3)
        colour = mix(rgb(pale), rgb(ripe), ramp(0.55 * streak + 0.75 * blush, 0.42, 0.66))
        pit = ramp(0.34 - r + 0.10 * streak, 0.0, 0.22) * (q[1] > 0)
        colour = mix(colour, rgb("#8b8a3c"), pit * 0.8)
        speck = ramp(noise(turn * 11 + 3, q[1] * 13), 0.84, 0.92)
        return Surface(mix(colour, rgb("#f0d9a0"), speck * 0.5), n, 0.045, 0.035)

    body = Implicit(frame.origin, 1.1 * size, material, frame, distance, 56)
    twig = mottled(rgb("#4b3420"), 9.0)
    bend = frame.world(0.05 * size, 0.62 * size, 0)
    stem: list[Node] = [rod(frame.world(0, 0.2 * size, 0), bend, 0.045 * size, twig)]
    stem.append(rod(bend, frame.world(0.16 * size, 0.88 * size, 0.04 * size), 0.05 * size, twig))
    return Group.of([body, *stem])


def pear(frame: Frame, size: float) -> Group:
    """Return a speckled pear with a stem."""

    def distance(q: Array) -> Array:
        low = np.sqrt(dot(q, q)) / size - 0.72
        lifted = q - vec(0.06 * size, 0.98 * size, 0)
        high = np.sqrt(dot(lifted, lifted)) / size - 0.33
        h = np.clip(0.5 + 0.5 * (high - low) / 0.55, 0, 1)
        return np.asarray((high + (low - high) * h - 0.55 * h * (1 - h)) * (0.85 * size))

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p) / size
        cloudy = fractal(q[0] * 2 + 3, q[1] * 2 + q[2], 4)
        blush = ramp(0.5 * q[0] + 0.25 * q[1] - 0.2 * q[2] + 0.7 * cloudy, 0.32, 0.85)
        colour = mix(rgb("#c4bd45"), rgb("#c9662f"), blush * 0.8)
        speck = ramp(solid_noise(q, 17.0), 0.62, 0.72)
        colour = mix(colour * (0.85 + 0.3 * solid_noise(q, 5.0)), rgb("#6d5a26"), 0.65 * speck)
        russet = ramp(q[1] + 0.25 * fractal(q[0] * 5, q[2] * 5 + q[1] * 3, 3), 1.22, 1.42)
        return Surface(mix(colour, rgb("#8d6a34"), russet), n, 0.035, 0.06)

    body = Implicit(frame.world(0, 0.3 * size, 0), 1.15 * size, material, frame, distance, 56)
    twig = mottled(rgb("#4b3420"), 9.0)
    knots = [frame.world(x * size, y * size, 0) for x, y in ((0.06, 1.2), (0.07, 1.45), (0.22, 1.78))]
    return Group.of([body, *(rod(a, b, 0.05 * size, twig) for a, b in pairwise(knots))])


def peel(q: Array) -> Array:
    """Return the height of the dimpled peel of citrus fruit."""
    return np.asarray(-ramp(solid_noise(q, 24.0), 0.46, 0.66))


def orange(frame: Frame, size: float) -> Group:
    """Return a whole orange."""

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p) / size
        tone = 0.85 + 0.3 * fractal(q[0] * 2, q[1] * 2 + q[2], 3)
        colour = rgb("#ef8a1d") * (tone * (0.94 + 0.10 * peel(q)))
        normal = frame.axes.T @ bumped(frame.axes @ n, q, peel, 0.007, 0.01)
        return Surface(colour, normal, 0.04, 0.05)

    knob = ellipsoid(frame.at(0, 0.985 * size, 0), 0.09 * size, 0.04 * size, 0.09 * size, plain(rgb("#6f7d34")))
    return Group.of([ball(frame.origin, size, material), knob])


def half_orange(frame: Frame, size: float) -> Implicit:
    """Return half an orange; the cut faces the first axis of the frame."""

    def distance(q: Array) -> Array:
        return np.asarray(np.maximum(np.sqrt(dot(q, q)) - size, q[0]))

    def pulp(q: Array) -> Array:
        return np.asarray(solid_noise(q, 9.0))

    def material(p: Array, n: Array) -> Surface:
        q, m = frame.local(p) / size, frame.axes @ n
        r, turn = np.hypot(q[1], q[2]), np.arctan2(q[2], q[1])
        cut = m[0] > 0.7
        wedge = phase(turn + 0.2, 2 * np.pi / 10)
        edge = np.minimum(wedge, 1 - wedge) * 2 * np.pi / 10 * r
        cells = fractal(r * 5, turn * 9, 3)
        flesh = mix(rgb("#e8730f"), rgb("#ffc04a"), cells * (0.55 + 0.5 * r))
        inner = np.minimum(edge - 0.012, np.minimum(0.86 - r, r - 0.07))
        colour = mix(rgb("#fbe7bd"), flesh, ramp(inner, 0.0, 0.03))
        rind = rgb("#ef8a1d") * (0.9 + 0.12 * peel(q))
        colour = np.where(cut & (r < 0.955), colour, rind)
        rough = bumped(m, q, lambda at: np.where(at[0] > -0.03, pulp(at), peel(at)), 0.012, 0.01)
        return Surface(colour, frame.axes.T @ rough, np.where(cut, 0.06, 0.04), 0.03)

    return Implicit(frame.origin, 1.02 * size, material, frame, distance)


def lemon(frame: Frame, size: float) -> Implicit:
    """Return a lemon lying along the first axis of a frame."""

    def distance(q: Array) -> Array:
        r, s = np.hypot(q[1], q[2]) / size, np.abs(q[0]) / size
        body = np.sqrt((s * 0.76) ** 2 + r * r) - 0.72
        tip = np.hypot(np.maximum(s - 0.98, 0), r) - 0.16
        h = np.clip(0.5 + 0.5 * (tip - body) / 0.22, 0, 1)
        return np.asarray((tip + (body - tip) * h - 0.22 * h * (1 - h)) * (0.75 * size))

    def material(p: Array, n: Array) -> Surface:
        q = frame.local(p) / size
        green = ramp(np.abs(q[0]) + 0.3 * fractal(q[0] * 4, q[1] * 4 + q[2], 3), 1.0, 1.3)
        colour = mix(rgb("#f2cf2c"), rgb("#a9ae3a"), green) * (0.96 + 0.12 * peel(q))
        return Surface(colour, frame.axes.T @ bumped(frame.axes @ n, q, peel, 0.007, 0.01), 0.04, 0.05)

    return Implicit(frame.origin, 1.2 * size, material, frame, distance, 56)


def grapes(x: float, z: float, seed: int) -> Group:
    """Return a small heap of dusty blue grapes."""
    rng = np.random.default_rng(seed)

    def skin(p: Array, n: Array) -> Surface:
        bloom = ramp(fractal(p[0] * 6 + p[1] * 4, p[2] * 6 - p[1] * 3, 4), 0.38, 0.66)
        return Surface(mix(rgb("#2a1030"), rgb("#6c6a94"), bloom * 0.7), n, 0.045, 0.03)

    parts: list[Node] = []
    for layer, (count, spread) in enumerate(((11, 0.72), (6, 0.42), (2, 0.16))):
        for i in range(count):
            angle = 2 * np.pi * i / count + layer + 0.15 * rng.standard_normal()
            reach = spread * (1.0 if i % 3 else 0.55) * (0.92 + 0.1 * rng.random())
            size = float(rng.uniform(0.25, 0.30))
            spot = vec(x + 1.25 * reach * np.cos(angle), 0.28 + 0.36 * layer, z + 0.8 * reach * np.sin(angle))
            parts.append(ball(spot, size, skin))
    twig = mottled(rgb("#6f5a2e"), 8.0)
    knots = [vec(x, 0.9, z), vec(x + 0.2, 1.35, z + 0.1), vec(x + 0.55, 1.5, z + 0.15)]
    parts += [rod(a, b, 0.035, twig) for a, b in pairwise(knots)]
    return Group.of(parts)


def leafy(light: str, dark: str) -> Callable[[Frame, float], Material]:
    """Return the material of leaves: a midrib, side veins and a paler rim."""

    def for_leaf(frame: Frame, length: float) -> Material:
        def material(p: Array, n: Array) -> Surface:
            q = frame.local(p) / length
            side = np.abs(q[2])
            veins = ramp(np.abs(phase(q[0] - 0.9 * side, 0.24) - 0.5), 0.36, 0.48)
            rib = 1 - ramp(side, 0.012, 0.03)
            tone = fractal(q[0] * 3 + 5 * frame.origin[0], q[2] * 5 + frame.origin[1], 3)
            colour = mix(rgb(dark), rgb(light), 0.25 + 0.7 * tone)
            return Surface(mix(colour, rgb(light) * 1.25, np.maximum(0.55 * rib, 0.3 * veins)), n, 0.03, 0.12)

        return material

    return for_leaf


def spray(foot: Array, tip: Array, leaves: int, seed: int) -> list[Node]:
    """Return a bending stem with pairs of leaves."""
    rng = np.random.default_rng(seed)
    knots = [mix(foot, tip, t) + vec(0, 0.9 * t * (1 - t), 0) for t in np.linspace(0, 1, leaves + 1)]
    parts: list[Node] = [rod(a, b, 0.03, plain(rgb("#56633a"))) for a, b in pairwise(knots)]
    dress = leafy("#8fa866", "#37552f")
    for i, knot in enumerate(knots[2:]):
        for side in (0, 180):
            size = float(rng.uniform(0.34, 0.50)) * (1 - 0.25 * i / leaves)
            heading = float(rng.uniform(-50, 50)) + side
            frame = Frame(knot, Frame.turned(0, 0, 0, heading).axes).tilted(rng.uniform(-60, 10), rng.uniform(15, 50))
            place = frame.at(size, 0, 0)
            parts.append(ellipsoid(place, size, 0.018, 0.42 * size, dress(place, size)))
    return parts


def blossom(centre: Array, size: float, lean: tuple[float, float], colour: str, heart: str) -> list[Node]:
    """Return a flower of many overlapping petals around a dotted heart."""
    head = Frame(centre, np.eye(3, dtype=np.float32)).tilted(*lean)

    def petal(frame: Frame, length: float) -> Material:
        def material(p: Array, n: Array) -> Surface:
            q = frame.local(p) / length
            line = fractal(q[0] * 1.5 + 7, q[2] * 16, 3)
            shade = mix(rgb(heart), rgb(colour), ramp(q[0] + 0.25 * line, -0.9, 0.0))
            return Surface(shade * (0.72 + 0.5 * line), n, 0.02, 0.2)

        return material

    parts: list[Node] = []
    for ring, (count, rise, reach) in enumerate(((9, 12, 1.0), (8, 34, 0.82), (6, 58, 0.62))):
        for i in range(count):
            turned = Frame.turned(0, 0, 0, 360 * i / count + 21 * ring).tilted(7.0, rise).axes @ head.axes
            long, wide = 0.52 * reach * size, 0.34 * reach * size
            frame = Frame(centre, np.asarray(turned, np.float32)).at(long, 0, 0)
            parts.append(ellipsoid(frame, long, 0.035 * size, wide, petal(frame, 0.5 * size)))
    button = head.at(0, 0.12 * size, 0)
    parts.append(ellipsoid(button, 0.2 * size, 0.16 * size, 0.2 * size, mottled(rgb("#d9a52e"), 16.0, 0.6)))
    return parts


def still_life_scene() -> Scene:
    """Return fruit and a vase of flowers on a table by a window."""
    cloth = Frame.turned(0.75, 0.0, -1.0, 24)
    mouth = vec(-1.45, 2.85, 1.1)
    flowers: list[Node] = []
    tips = ((-2.9, 4.4, 1.0), (-0.1, 4.7, 1.4), (-1.7, 5.5, 1.8), (0.5, 3.9, 0.8), (-2.6, 3.6, 0.2), (-0.9, 5.1, 0.6))
    for seed, (x, y, z) in enumerate(tips):
        flowers.append(Group.of(spray(mouth - vec(0, 0.5, 0), vec(x, y, z), 6, seed)))
    heads = (
        (-2.05, 4.10, 0.45, 0.66, (58.0, -18.0), "#e8663f", "#7e1f1a"),
        (-0.95, 4.35, 0.35, 0.74, (52.0, 12.0), "#f0a08c", "#b8404a"),
        (-1.45, 3.55, 0.20, 0.58, (72.0, -4.0), "#f3dfb8", "#d79a3a"),
        (-0.35, 3.55, 0.70, 0.56, (56.0, 26.0), "#d2402f", "#5e1418"),
        (-2.35, 3.25, 0.75, 0.50, (50.0, -34.0), "#f0c04e", "#b8602a"),
    )
    for x, y, z, size, lean, colour, heart in heads:
        flowers.append(Group.of(blossom(vec(x, y, z), size, lean, colour, heart)))
        flowers.append(rod(mouth - vec(0, 0.6, 0), vec(x, y, z), 0.04, plain(rgb("#5f7040"))))
    parts: list[Node] = [
        Plane(vec(0, 0, 0), np.inf, table_top, vec(0, 1, 0)),
        Plane(vec(0, 0, 4.2), np.inf, wallpaper, vec(0, 0, -1)),
        box(cloth, vec(-2.5, -0.1, -2.0), vec(2.5, 0.035, 2.0), gingham(cloth)),
        vase(Frame.turned(-1.45, 0.0, 1.1, 20)),
        Group.of(flowers),
        pear(Frame.turned(1.15, 0.72, 0.75, 200).tilted(3, 7), 0.98),
        apple(Frame.turned(2.55, 0.60, 0.15, 40).tilted(-14, 16), 0.92, "#a5161c", "#d9a43c"),
        apple(Frame.turned(0.05, 0.60, -0.25, 0).tilted(-10, -12), 0.90, "#b3261e", "#b9b23f"),
        orange(Frame.turned(1.35, 0.78, -0.85, 30).tilted(-35, 20), 0.74),
        half_orange(Frame.turned(-1.15, 0.66, -1.35, -68).tilted(0, 24), 0.70),
        lemon(Frame.turned(0.25, 0.52, -1.95, 22), 0.70),
        grapes(2.55, -1.45, 12),
    ]
    return Scene(parts, room, window_light, room_light, 2.5, lamp_rays=3)


STILL_LIFE_CAMERA = Camera(vec(0.2, 4.6, -12.5), vec(0.2, 2.2, 0), 36.0)


# --------------------------------------------------------------------------------------------------------------
# The files
# --------------------------------------------------------------------------------------------------------------


def chessboard() -> Image.Image:
    """Return 8 x 8 pixels, white (255) and black (0) in turn, with white at the top left."""
    row, column = np.indices((8, 8))
    return Image.fromarray(np.where((row + column) % 2 == 0, 255, 0).astype(np.uint8))


def wedge() -> Image.Image:
    """Return 16 vertical bars of equal width, from black (0) to white (255) in steps of 17."""
    bars = np.repeat(17 * np.arange(16), 16)
    return Image.fromarray(np.tile(bars, (64, 1)).astype(np.uint8))


def brightness_step() -> Image.Image:
    """Return 5 x 5 pixels whose rows step from 50 over 100 to 150."""
    rows = np.array([[50], [50], [100], [150], [150]], dtype=np.uint8)
    return Image.fromarray(np.repeat(rows, 5, axis=1))


def harbor() -> Image.Image:
    """Return the harbor picture."""
    light = render(Shot(harbor_scene, HARBOR_CAMERA, 640, 427, oversampling=2, seed=3))
    film = Film(exposure=0.74, contrast=0.42, saturation=1.0, vignette=0.25, grain=0.009)
    return develop(light, film, seed=9)


def still_life() -> Image.Image:
    """Return the still life picture."""
    light = render(Shot(still_life_scene, STILL_LIFE_CAMERA, 600, 450, oversampling=2, seed=4))
    film = Film(exposure=0.71, contrast=0.05, saturation=0.97, vignette=0.30, grain=0.009)
    return develop(light, film, seed=10)


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "chessboard.png": chessboard,
    "wedge.png": wedge,
    "brightness-step.png": brightness_step,
    "harbor.jpg": harbor,
    "still-life.jpg": still_life,
}


def main() -> None:
    """Write all pictures into a folder."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        path = folder / name
        options = {"quality": 90} if path.suffix == ".jpg" else {"optimize": True}
        draw().save(path, **options)
        print(path)


if __name__ == "__main__":
    main()
