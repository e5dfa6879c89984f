"""Named equations of known functions, each with its domain: what an exact test cannot know (theory.md §6.2, L4).

Both sides are rewritten in one direction: everything through exp, log, √, sin and cos of single terms. Every equation that
was used is named, and where it holds for some numbers only, that is a condition of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import isqrt
from operator import mul

from ..algebra.dims import Shape
from ..algebra.expr import Expr
from ..algebra.op import Op
from ..algebra.ops.activations import softplus
from ..algebra.ops.arithmetic import add, added, const, divide, hadamard, neg, pi, power, rational, sdiv, smul, sub
from ..algebra.ops.entrywise import exp, filled, log, logaddexp, pow, pow_each, sigmoid, sqrt
from ..algebra.ops.piecewise import abs_, relu, sign, step
from ..algebra.ops.special import erf, normcdf, normpdf
from ..algebra.ops.structure import ones, zeros
from ..algebra.ops.trigonometric import cos, cosh, sin, sinh, tan, tanh

__all__ = ["Use", "functional", "uniform"]

_QUOTIENTS = (divide, sdiv)
_MOST = 6  # terms of an argument that is taken apart
_ONES, _ZEROS = ones(()).op, zeros(()).op


@dataclass(frozen=True, slots=True)
class Use:
    """An equation that was used, as it is written, and what must be positive where it is."""

    name: str
    statement: str
    positive: Expr | None = None


_LAWS = {
    "exp_of_sum": "exp(s + t) = exp(s) exp(t)",
    "exp_of_multiple": "exp(n t) = exp(t)ⁿ for whole n",
    "exp_of_log": "exp(log t) = t",
    "exp_of_zero": "exp(0) = 1",
    "log_of_product": "log(s t) = log s + log t",
    "log_of_power": "log(tⁿ) = n log t",
    "log_of_exp": "log(exp t) = t",
    "log_of_one": "log 1 = 0",
    "sigmoid_by_exp": "sigmoid(t) = 1 / (1 + exp(−t))",
    "tanh_by_exp": "tanh(t) = (exp(2t) − 1) / (exp(2t) + 1)",
    "softplus_by_log": "softplus(t) = log(1 + exp t)",
    "softplus_of_negative": "softplus(−t) = softplus(t) − t",
    "logaddexp_by_log": "logaddexp(s, t) = log(exp s + exp t)",
    "cosh_by_exp": "cosh(t) = (exp(t) + exp(−t)) / 2",
    "sinh_by_exp": "sinh(t) = (exp(t) − exp(−t)) / 2",
    "tangent_by_sine": "tan t = sin t / cos t",
    "power_by_exp": "sᵗ = exp(t log s)",
    "normal_by_exp": "normpdf(t) = exp(−t²/2) / √(2π)",
    "normal_by_erf": "normcdf(t) = (1 + erf(t/√2)) / 2",
    "normal_of_negative": "normcdf(−t) = 1 − normcdf(t)",
    "erf_is_odd": "erf(−t) = −erf(t)",
    "step_of_multiple": "step(c t) = step(t) for a number c > 0",
    "relu_of_multiple": "relu(c t) = c relu(t) for a number c > 0",
    "sign_of_multiple": "sign(c t) = sign(c) sign(t) for a number c ≠ 0",
    "abs_of_multiple": "abs(c t) = abs(c) abs(t) for a number c",
    "abs_of_product": "abs(s t) = abs(s) abs(t)",
    "square_of_abs": "abs(t)² = t²",
    "root_of_product": "√(s t) = √s √t",
    "root_of_square": "√(t²) = t",
    "square_of_root": "(√t)² = t",
    "sine_of_sum": "sin(s + t) = sin s cos t + cos s sin t",
    "cosine_of_sum": "cos(s + t) = cos s cos t − sin s sin t",
    "sine_is_odd": "sin(−t) = −sin t",
    "cosine_is_even": "cos(−t) = cos t",
    "square_of_cosine": "cos² t = 1 − sin² t",
    "sine_of_zero": "sin 0 = 0, cos 0 = 1",
}


class _Rewriter:
    def __init__(self) -> None:
        self.used: dict[tuple[str, Expr | None], Use] = {}

    def use(self, law: str, positive: Expr | None = None) -> None:
        """Notes that a law was used; constants and values of exp are positive anyway."""
        if positive is not None and (positive.op is exp or (positive.op is const and positive.attrs[0] > 0)):
            positive = None
        self.used.setdefault((law, positive), Use(law, _LAWS[law], positive))

    def of(self, root: Expr) -> Expr:
        done: dict[Expr, Expr] = {}
        for e in _unfolded(root):
            laws, whole = _through(e)
            if whole is not e:
                for law in laws:
                    self.use(law)
                done[e] = done[whole]
                continue
            args = tuple(done[a] for a in e.args)
            done[e] = self.node(e if args == e.args else Expr.make(e.op, args, e.attrs, e.shape))
        return done[root]

    def node(self, e: Expr) -> Expr:
        """One node whose arguments are rewritten already."""
        if e.op is sigmoid:
            self.use("sigmoid_by_exp")
            return power(1 + self.exp(-e.args[0]), exponent=Fraction(-1))
        if e.op is tanh:
            self.use("tanh_by_exp")
            twice = self.exp(2 * e.args[0])
            return (twice - 1) * power(twice + 1, exponent=Fraction(-1))
        if e.op is softplus:
            return self.softplus(e.args[0])
        if e.op is erf:
            return self.odd(e.args[0])
        if e.op in (step, relu, sign, abs_):
            return self.homogeneous(e)
        if e.op is exp:
            return self.exp(e.args[0])
        if e.op is log:
            return self.log(e.args[0])
        if e.op is sqrt:
            return self.root(e.args[0])
        if e.op is sin or e.op is cos:
            return self.circle(e.args[0])[0 if e.op is sin else 1]
        if e.op is power and e.attrs[0].denominator == 1:
            return self.powered(e.args[0], int(e.attrs[0]))
        if e.op in (hadamard, smul) and e.args[0] is e.args[1]:
            return self.powered(e.args[0], 2)
        return e

    def softplus(self, t: Expr) -> Expr:
        """log(1 + exp) of the one of t and −t whose first number is positive."""
        self.use("softplus_by_log")
        terms = _terms(t)
        if not terms or terms[0][0] > 0:
            return log(1 + self.exp(t))
        self.use("softplus_of_negative")
        return log(1 + self.exp(added([_scaled(-c, u) for c, u in terms]))) + t

    def odd(self, t: Expr) -> Expr:
        """erf of a term whose first number is positive."""
        terms = _terms(t)
        if not terms or terms[0][0] > 0:
            return erf(t)
        self.use("erf_is_odd")
        return -erf(added([_scaled(-c, u) for c, u in terms]))

    def homogeneous(self, e: Expr) -> Expr:
        """A function with two sides of a sum whose first number is 1, or −1 where the sides are unlike; of |·| each factor."""
        terms = _terms(e.args[0])
        if e.op is abs_ and len(terms) == 1 and len(factors := _factors(terms[0][1])) > 1:
            self.use("abs_of_product")
            parts = [abs_(u) if n == 1 else self.powered(abs_(u), n) for u, n in factors]
            return _scaled(abs(terms[0][0]), reduce(mul, parts))
        if not e.order and len(terms) == 1 and terms[0][1] is rational(1):
            return rational(e.op.exact(int(terms[0][0] > 0), terms[0][0]))
        c = terms[0][0] if terms and e.op in (sign, abs_) else abs(terms[0][0]) if terms else Fraction(1)
        if c == 1:
            return e
        one = e.with_args((added([_scaled(d / c, u) for d, u in terms]),))
        self.use(f"{e.op.name}_of_multiple")
        if e.op in (relu, abs_):
            return _scaled(abs(c), one)
        return -one if c < 0 else one

    def powered(self, base: Expr, n: int) -> Expr:
        if base.op is sqrt and n % 2 == 0 and n > 0:
            self.use("square_of_root")
            return base.args[0] if n == 2 else power(base.args[0], exponent=Fraction(n // 2))
        if base.op is abs_ and n % 2 == 0:
            self.use("square_of_abs")
            return power(base.args[0], exponent=Fraction(n))
        if base.op is cos and n == 2:
            self.use("square_of_cosine")
            return 1 - power(sin(base.args[0]), exponent=Fraction(2))
        return power(base, exponent=Fraction(n))

    def exp(self, t: Expr) -> Expr:
        """exp of a sum with whole coefficients as a product of powers."""
        terms = _terms(t)
        factors: list[Expr] = []
        for c, u in terms:
            if u.op is log:
                self.use("exp_of_log")
                base = u.args[0]
            else:
                base = exp(u)
            if c.denominator != 1:
                base, c = exp(_scaled(c, u)), Fraction(1)
            if c != 1:
                self.use("exp_of_multiple")
            factors.append(base if c == 1 else power(base, exponent=c))
        if not terms:
            self.use("exp_of_zero")
            return uniform(1, t.shape)
        if len(terms) > 1:
            self.use("exp_of_sum")
        return reduce(mul, factors)

    def log(self, t: Expr) -> Expr:
        """log of a product as a sum."""
        factors = _factors(t)
        parts: list[Expr] = []
        for u, n in factors:
            if u.op is exp:
                self.use("log_of_exp")
                part = u.args[0]
            else:
                part = log(u)
            if n != 1:
                self.use("log_of_power", u)
            parts.append(part if n == 1 else _scaled(Fraction(n), part))
        if not factors:
            self.use("log_of_one")
            return uniform(0, t.shape)
        if len(factors) > 1:
            for u, _ in factors:
                self.use("log_of_product", u)
        return added(parts)

    def root(self, t: Expr) -> Expr:
        factors = _factors(t)
        if len(factors) == 1 and factors[0][1] == 1:
            return self.root_of_number(t)
        found: Expr | None = None
        for u, n in factors:
            if n % 2 == 0:
                self.use("root_of_square", u)
                part = u if n == 2 else power(u, exponent=Fraction(n // 2))
            else:
                part = self.root_of_number(u)
                part = part if n == 1 else power(part, exponent=Fraction(n))
            if len(factors) > 1:
                self.use("root_of_product", u)
            found = part if found is None else found * part
        return uniform(1, t.shape) if found is None else found

    def root_of_number(self, u: Expr) -> Expr:
        """√u, a rational number where u is the square of one."""
        if u.op is const and u.attrs[0] > 0:
            p, q = isqrt(u.attrs[0].numerator), isqrt(u.attrs[0].denominator)
            if Fraction(p * p, q * q) == u.attrs[0]:
                self.use("root_of_square", u)
                return rational(Fraction(p, q))
        return sqrt(u)

    def circle(self, t: Expr) -> tuple[Expr, Expr]:
        """(sin t, cos t) through the single terms of t."""
        terms = _terms(t)
        if not terms:
            self.use("sine_of_zero")
            return (uniform(0, t.shape)), uniform(1, t.shape)
        pairs: list[tuple[Expr, Expr]] = []
        for c, u in terms:
            if c.denominator != 1 or abs(c) > _MOST:
                u, c = _scaled(abs(c), u), Fraction(1 if c > 0 else -1)
            one = (sin(u), cos(u))
            if c < 0:
                self.use("sine_is_odd")
                self.use("cosine_is_even")
                one = (-one[0], one[1])
            pairs += [one] * abs(int(c))
        found = pairs[0]
        for s, c2 in pairs[1:]:
            self.use("sine_of_sum")
            self.use("cosine_of_sum")
            found = (found[0] * c2 + found[1] * s, found[1] * c2 - found[0] * s)
        return found


def _power(s: Expr, t: Expr) -> Expr:
    """exp(t log s), every term of t by itself."""
    parts = [_scaled(c, log(s)) if u is rational(1) else _scaled(c, u) * log(s) for c, u in _terms(t)]
    return exp(added(parts)) if parts else uniform(1, s.shape)


def _normal(t: Expr) -> Expr:
    """Φ by erf."""
    return (1 + erf(t / filled(sqrt(rational(2)), t))) / rational(2)


# Functions that are rewritten through others, and by which equation.
_BY_OTHERS: Mapping[Op, tuple[str, Callable[..., Expr]]] = {
    cosh: ("cosh_by_exp", lambda t: (exp(t) + exp(-t)) / rational(2)),
    sinh: ("sinh_by_exp", lambda t: (exp(t) - exp(-t)) / rational(2)),
    tan: ("tangent_by_sine", lambda t: sin(t) / cos(t)),
    logaddexp: ("logaddexp_by_log", lambda s, t: log(exp(s) + exp(t))),
    pow: ("power_by_exp", _power),
    pow_each: ("power_by_exp", _power),
    normpdf: ("normal_by_exp", lambda t: exp(-(t**2) / rational(2)) / sqrt(2 * pi())),
}


def _through(e: Expr) -> tuple[tuple[str, ...], Expr]:
    """What a function is written through, and by which equations; itself if it stays."""
    if e.op in _BY_OTHERS:
        law, build = _BY_OTHERS[e.op]
        return (law,), build(*e.args)
    if e.op is normcdf:  # of the one of t and −t whose first number is positive
        terms = _terms(e.args[0])
        if not terms or terms[0][0] > 0:
            return ("normal_by_erf",), _normal(e.args[0])
        return ("normal_by_erf", "normal_of_negative"), 1 - _normal(added([_scaled(-c, u) for c, u in terms]))
    if e.op.define is not None and e.op not in _QUOTIENTS:
        return (), e.op.define(e, *e.args)
    return (), e


def _unfolded(root: Expr) -> Iterator[Expr]:
    """The nodes under `root`, arguments first, each function after what it is written through."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            whole = _through(node)[1]
            stack.extend((a, False) for a in (node.args if whole is node else (whole,)) if a not in seen)


def uniform(entry: int, shape: Shape) -> Expr:
    """0 or 1 in every entry."""
    return (ones if entry else zeros)(shape) if shape else rational(entry)


def _scaled(c: Fraction, u: Expr) -> Expr:
    return u if c == 1 else rational(c) * u


def _terms(t: Expr) -> list[tuple[Fraction, Expr]]:
    """t as Σ c u with different u; a term that cannot be taken apart is itself."""
    found: dict[Expr, Fraction] = {}
    stack = [(Fraction(1), t)]
    while stack:
        c, e = stack.pop()
        if e.op is add:
            stack += [(c, e.args[1]), (c, e.args[0])]
        elif e.op is sub:
            stack += [(-c, e.args[1]), (c, e.args[0])]
        elif e.op is neg:
            stack.append((-c, e.args[0]))
        elif e.op is smul and e.args[0].op is const:
            stack.append((c * e.args[0].attrs[0], e.args[1]))
        elif e.op is sdiv and e.args[1].op is const and e.args[1].attrs[0]:
            stack.append((c / e.args[1].attrs[0], e.args[0]))
        elif e.op is const:
            if e.attrs[0]:
                found[rational(1)] = found.get(rational(1), Fraction(0)) + c * e.attrs[0]
        elif e.op is not _ZEROS:
            found[e] = found.get(e, Fraction(0)) + c
    return [(c, u) for u, c in found.items() if c]


def _factors(t: Expr) -> list[tuple[Expr, int]]:
    """t as Π uⁿ with different u, entry by entry."""
    found: dict[Expr, int] = {}
    stack = [(t, 1)]
    while stack:
        e, n = stack.pop()
        if e.op is hadamard or (e.op is smul and not e.order):
            stack += [(e.args[1], n), (e.args[0], n)]
        elif e.op is divide or (e.op is sdiv and not e.order):
            stack += [(e.args[1], -n), (e.args[0], n)]
        elif e.op is power and e.attrs[0].denominator == 1:
            stack.append((e.args[0], n * int(e.attrs[0])))
        elif (e.op is const and e.attrs[0] == 1) or e.op is _ONES:
            continue
        else:
            found[e] = found.get(e, 0) + n
    return [(u, n) for u, n in found.items() if n]


def functional(left: Expr, right: Expr) -> tuple[Expr, Expr, tuple[Use, ...]]:
    """Both sides rewritten, and the equations that were used."""
    r = _Rewriter()
    return r.of(left), r.of(right), tuple(r.used.values())
