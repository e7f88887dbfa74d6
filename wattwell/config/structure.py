"""What must hold among the meters of a site: the tree, formulas, and nothing counted twice (METERING, Structure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from wattwell.config.meters import Entry
from wattwell.config.places import Faults, nearest
from wattwell.roles import ENERGY_KINDS, WATER_KINDS, Terms, above, family_of, kpi_sides

_MORE_TERMS = 20_000
"""So many more than a site has meters are too many."""
_SIGNS = {"+": 1, "-": -1}


def by_id(entries: Sequence[Entry], faults: Faults) -> dict[str, Entry]:
    """The meters by id; an id given twice is a fault and the first one counts."""
    meters: dict[str, Entry] = {}
    for entry in entries:
        identity = entry.raw.id
        if identity is None:
            continue
        if identity in meters:
            remedy = f"this id is already used at {meters[identity].place}; give each meter of a site its own"
            faults.add(entry.place / "id", remedy, identity)
        meters.setdefault(identity, entry)
    return meters


def check_tree(meters: Mapping[str, Entry], faults: Faults) -> None:
    """Parents exist, measure the same kind (energy or water), and form no circle."""
    in_circle: set[str] = set()
    for identity, entry in meters.items():
        parent, quantity = entry.raw.parent, entry.raw.quantity
        if parent is None:
            continue
        place = entry.place / "parent"
        if parent not in meters:
            faults.add(
                place, f"no meter of this site has this id{nearest(parent, meters)}; name one that exists", parent
            )
            continue
        circle = _parents_circle(meters, identity)
        if circle and identity not in in_circle:
            faults.add(place, f"the parents form a circle ({' > '.join(circle)}); remove one of them", parent)
        in_circle.update(circle)
        other = meters[parent].raw.quantity
        if quantity is not None and other is not None:
            family = family_of(quantity)
            if family not in (ENERGY_KINDS, WATER_KINDS) or other not in family:
                measures = f"{identity} is {quantity} and {parent} is {other}"
                remedy = f"{measures}; a tree holds only energy and power, or only water and flow"
                faults.add(place, remedy, parent)


def _parents_circle(meters: Mapping[str, Entry], start: str) -> list[str]:
    """The circle that leads from a meter back to it, or nothing."""
    path, parent = [start], meters[start].raw.parent
    while parent is not None and parent in meters and parent not in path:
        path.append(parent)
        parent = meters[parent].raw.parent
    return [*path, start] if parent == start else []


def parse_formula(text: str) -> Terms:
    """The signed members of ``a + b - c``; ValueError where an operator or a member is not where it should be."""
    tokens = text.split()
    if tokens and tokens[0][0] in _SIGNS and len(tokens[0]) > 1:
        tokens[:1] = [tokens[0][0], tokens[0][1:]]
    if not tokens or tokens[0] not in _SIGNS:
        tokens.insert(0, "+")
    operators, members = tokens[::2], tokens[1::2]
    if len(tokens) % 2 or any(word not in _SIGNS for word in operators) or any(word in _SIGNS for word in members):
        raise ValueError("write meter ids with + or - between them, and spaces round each sign, as in: a + b - c")
    return tuple((_SIGNS[operator], member) for operator, member in zip(operators, members, strict=True))


def read_formulas(meters: Mapping[str, Entry], faults: Faults) -> dict[str, Terms]:
    """The formulas that can be expanded: well formed, with known members and without a circle."""
    formulas: dict[str, Terms] = {}
    for identity, entry in meters.items():
        if entry.raw.formula is None:
            continue
        try:
            terms = parse_formula(entry.raw.formula)
        except ValueError as error:
            faults.add(entry.place / "formula", str(error), entry.raw.formula)
            continue
        if _members_known(terms, entry, meters, faults):
            formulas[identity] = terms
            _check_families(terms, entry, meters, faults)
    for circle in _formula_circles(formulas):
        first = meters[circle[0]]
        remedy = f"the formulas form a circle ({' > '.join(circle)}); remove a member of it"
        faults.add(first.place / "formula", remedy, first.raw.formula)
        for identity in circle:
            formulas.pop(identity, None)
    return formulas


def _members_known(terms: Terms, entry: Entry, meters: Mapping[str, Entry], faults: Faults) -> bool:
    unknown = dict.fromkeys(member for _, member in terms if member not in meters)
    for member in unknown:
        hint = nearest(member, meters)
        if "+" in member or any(part in meters for part in member.split("-")):
            hint = "; ids may hold hyphens, so put spaces round + and -"
        remedy = f"no meter of this site is called {member}{hint}; name meters that exist"
        faults.add(entry.place / "formula", remedy, entry.raw.formula)
    return not unknown


def _check_families(terms: Terms, entry: Entry, meters: Mapping[str, Entry], faults: Faults) -> None:
    quantity = entry.raw.quantity
    if quantity is None:
        return
    for member in dict.fromkeys(member for _, member in terms):
        other = meters[member].raw.quantity
        if other is not None and other not in family_of(quantity):
            remedy = (
                f"the member {member} is {other}, which cannot be part of {quantity}; "
                "a formula adds energy and power, or water and flow, or one other quantity"
            )
            faults.add(entry.place / "formula", remedy, entry.raw.formula)


def _formula_circles(formulas: Mapping[str, Terms]) -> list[list[str]]:
    """A circle for each knot of formulas, found by walking each formula's members once."""
    done: set[str] = set()
    circles = []
    for start in formulas:
        path: list[str] = []
        stack: list[tuple[str, bool]] = [(start, True)]
        while stack:
            node, entering = stack.pop()
            if not entering:
                path.pop()
                done.add(node)
            elif node in path:
                circles.append([*path[path.index(node) :], node])
            elif node in formulas and node not in done:
                path.append(node)
                stack.append((node, False))
                stack.extend((member, True) for _, member in formulas[node])
    return circles


@dataclass(frozen=True, slots=True)
class _Reach:
    """One way in which a side reaches a meter."""

    node: str
    sign: int
    chain: tuple[str, ...]
    """The virtual meters on the way, from the one with the role down."""

    @property
    def root(self) -> str:
        return self.chain[0] if self.chain else self.node


class _TooLargeError(Exception):
    """A formula expands to many more terms than the site has meters."""


def _expand(terms: Terms, formulas: Mapping[str, Terms], most: int) -> dict[str, list[_Reach]]:
    """Every meter that a side reaches, real or virtual, and how; _TooLargeError where there are over ``most`` ways."""
    reached: dict[str, list[_Reach]] = defaultdict(list)
    stack = [_Reach(node, sign, ()) for sign, node in reversed(terms)]
    count = 0
    while stack:
        reach = stack.pop()
        reached[reach.node].append(reach)
        count += 1
        if count > most:
            raise _TooLargeError
        chain = (*reach.chain, reach.node)
        members = formulas.get(reach.node, ())
        stack.extend(_Reach(member, sign * reach.sign, chain) for sign, member in reversed(members))
    return reached


def _clashes(reached: Mapping[str, list[_Reach]], meters: Mapping[str, Entry]) -> Iterator[tuple[_Reach, _Reach]]:
    """Pairs that reach the same energy twice at some time.

    Down each branch of the tree the meters that a side reaches must take turns in sign: ``a - b + c`` with b below a
    and c below b counts everything once, ``a + c`` counts c twice. A meter reached with both signs cancels out. A
    virtual meter that itself stands on the branch is taken as a whole, not by its members.
    """
    raws = {identity: entry.raw for identity, entry in meters.items()}
    for node, own in reached.items():
        branch = (node, *above(raws, node))
        on_branch = set(branch)
        steps = [
            [reach for reach in reached.get(step, ()) if on_branch.isdisjoint(reach.chain)] for step in reversed(branch)
        ]
        for serving in _eras({reach.root for reaches in (own, *steps) for reach in reaches}, meters):
            if any(reach.root in serving for reach in own):
                yield from _same_turns([[reach for reach in reaches if reach.root in serving] for reaches in steps])


def _same_turns(steps: Iterable[Sequence[_Reach]]) -> Iterator[tuple[_Reach, _Reach]]:
    """Neighbours down a branch that have the same sign."""
    last: _Reach | None = None
    for reaches in steps:
        net = sum(reach.sign for reach in reaches)
        if net == 0:
            continue
        same = [reach for reach in reaches if reach.sign * net > 0]
        first, second = (same[0], same[1]) if abs(net) > 1 else (last, same[0])
        if first is not None and first.sign == second.sign:
            yield first, second
        last = same[0]


def _eras(roots: Set[str], meters: Mapping[str, Entry]) -> Iterator[Set[str]]:
    """Which of some meters are in service together, in each span of time within which none comes or goes."""
    dates = {root: meters[root].raw.dates() for root in roots}
    for start, end in pairwise(sorted({date.min, date.max}.union(*dates.values()))):
        yield {root for root, (since, until) in dates.items() if since <= start and end <= until}


def check_counted_once(
    meters: Mapping[str, Entry], formulas: Mapping[str, Terms], category: int | None, faults: Faults
) -> None:
    """The same energy or water reached twice on one KPI side is a fault that names both meters."""
    raws = {identity: entry.raw for identity, entry in meters.items()}
    most = len(meters) + _MORE_TERMS
    for side, terms in kpi_sides(raws, category).items():
        told: set[frozenset[str]] = set()
        try:
            reached = _expand(terms, formulas, most)
        except _TooLargeError:
            entry = meters[terms[0][1]]
            faults.add(entry.place / "role", f"the formulas of {side} have over {most} terms; simplify them")
            continue
        for first, second in _clashes(reached, meters):
            key = frozenset((first.root, second.root))
            if key not in told:
                told.add(key)
                _tell(side, first, second, meters, faults)


def _tell(side: str, first: _Reach, second: _Reach, meters: Mapping[str, Entry], faults: Faults) -> None:
    def named(reach: _Reach) -> str:
        return f"{reach.node} (through {' > '.join(reach.chain)})" if reach.chain else reach.node

    if first.node == second.node:
        how = f"{named(first)} and {named(second)} are the same meter"
    else:
        how = f"{named(second)} lies below {named(first)} in the tree"
    culprit = meters[second.root]
    key = "formula" if first.root == second.root else "role"
    remedy = f"{side} would count the same {'water' if side.startswith('water') else 'energy'} twice: {how}; "
    fix = (
        "take one of them out of the formula"
        if key == "formula"
        else f"take the role from {first.root} or {second.root}"
    )
    faults.add(culprit.place / key, f"{remedy}{fix}, or correct parent and formula", getattr(culprit.raw, key))
