"""Inverses, determinants, functions of matrices and decompositions, each by the equation that defines it (theory.md §3.4)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ...errors import ShapeError, UnsupportedError
from .. import dense, spectral
from ..dims import Shape, show_shape
from ..expr import Expr
from ..op import POSTFIX, REGISTRY, Op, composite_op, op
from .arithmetic import power
from .entrywise import log, logabs
from .matrix import diagvec, dot, eye, inner
from .reduction import total
from .triangles import tril, triu

_SYMMETRIC = ("symmetric",)
_DEFINITE = ("symmetric", "posdef")


def unnamed(what: str) -> UnsupportedError:
    """The refusal of a differential that no op here stands for."""
    return UnsupportedError("U041", f"the differential of {what} is not supported in this version")


@op("X[n,n] -> [n,n]", exactly=dense.inverse, keeps=(*_DEFINITE, "diagonal"), text="$X:30⁻¹", latex="$X:30^{-1}", fix=POSTFIX, token="inv", products="reversed", turned=("$X:30⁻ᵀ", r"$X:30^{-\top}"),
    calls=("inv",), regular=True, needs="$X is invertible", cancels=lambda Y, X: [(eye(dim=X.shape[0]), X @ Y), (eye(dim=X.shape[0]), Y @ X)], array=lambda np, X: np.linalg.inv(X),
    definite=lambda e, X: REGISTRY["cholesky_inverse"](REGISTRY["chol"](X)), cite="giles2008:2.2.3")  # fmt: skip
def inv(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate X X⁻¹ = I: dX X⁻¹ + X d(X⁻¹) = 0, and solve for d(X⁻¹).

    X D-INV: d(X⁻¹) = −X⁻¹ dX X⁻¹ with X = $X, from X X⁻¹ = I
    """
    return -(Y @ dX @ Y)


@op("X[n,n] -> []", exactly=dense.determinant, text="det($X:0)", latex=r"\det($X:0)", calls=("det",), products="number", regular=True, needs="$X is invertible",
    array=lambda np, X: np.linalg.det(X), cite="giles2008:2.2.4")  # fmt: skip
def det(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """det(X + dX) = det(X) det(I + X⁻¹ dX), and det(I + M) = 1 + tr M + o(‖M‖).

    X D-DET: d det X = det X · tr(X⁻¹ dX) = det X ⟨X⁻ᵀ, dX⟩ with X = $X (Jacobi's formula)
    """
    return Y * inner(inv(X).T, dX)


@op("X[n,n] -> []", define=lambda e, X: logabs(det(X)), text="logdet($X:0)", latex=r"\log\left|\det($X:0)\right|", calls=("logdet", "slogdet", "logabsdet"),
    regular=True, needs="$X is invertible", array=lambda np, X: np.linalg.slogdet(X)[1],
    definite=lambda e, X: total(log(diagvec(REGISTRY["chol"](X)))) * 2, cite="giles2008:2.2.4")  # fmt: skip
def logdet(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log|det X|: d log|d| = dd / d, and d det X = det X · tr(X⁻¹ dX).

    X D-LOGDET: d log|det X| = tr(X⁻¹ dX) = ⟨X⁻ᵀ, dX⟩ with X = $X
    """
    return inner(inv(X).T, dX)


def _penrose(Y: Expr, X: Expr) -> list[tuple[Expr, Expr]]:
    """X⁺X and X X⁺ are symmetric and change neither X nor X⁺ (Penrose 1955)."""
    return [pair for P, Q in ((X, Y), (Y, X)) for pair in ((P, P @ Q @ P), (P, P @ P.T @ Q.T), (P, Q.T @ P.T @ P))]


@op("X[m,n] -> [n,m]", exactly=dense.pseudoinverse, text="pinv($X:0)", latex="$X:30^{+}", calls=("pinv",), cancels=_penrose,
    needs="$X has full rank", array=lambda np, X: np.linalg.pinv(X), cite="golub1973")  # fmt: skip
def pinv(Y: Expr, X: Expr, dX: Expr) -> list[Expr]:
    """The pseudoinverse of a matrix of full rank, (XᵀX)⁻¹Xᵀ or Xᵀ(XXᵀ)⁻¹.

    X D-PINV: dX⁺ = −X⁺ dX X⁺ + X⁺X⁺ᵀ dXᵀ (I − X X⁺) + (I − X⁺X) dXᵀ X⁺ᵀX⁺ with X = $X; one of the last two terms is 0
    """
    return [-(Y @ dX @ Y), Y @ Y.T @ dX.T, -(Y @ Y.T @ dX.T @ X @ Y), dX.T @ Y.T @ Y, -(Y @ X @ dX.T @ Y.T @ Y)]


@op("A[n,n], b[n] -> [n]", define=lambda e, A, b: inv(A) @ b, text="solve($A:0, $b:0)", latex=r"$A:30^{-1} $b:20", calls=("solve",),
    regular=True, needs="$A is invertible", array=lambda np, A, b: np.linalg.solve(A, b))  # fmt: skip
def solve(u: Expr, A: Expr, b: Expr, dA: Expr, db: Expr) -> tuple[Expr, Expr]:
    """Differentiate A u = b: dA u + A du = db, and solve for du.

    A D-SOLVE: du = −A⁻¹ dA u, b held still
    b D-SOLVE: du = A⁻¹ db, A held still
    """
    return -(inv(A) @ (dA @ u)), inv(A) @ db


@op("A[n,n], B[n,k] -> [n,k]", define=lambda e, A, B: inv(A) @ B, text="solve($A:0, $B:0)", latex=r"$A:30^{-1} $B:20", calls=("solve",),
    name="solve_columns", regular=True, needs="$A is invertible", array=lambda np, A, B: np.linalg.solve(A, B))  # fmt: skip
def solve_columns(U: Expr, A: Expr, B: Expr, dA: Expr, dB: Expr) -> tuple[Expr, Expr]:
    """Differentiate A U = B: dA U + A dU = dB, and solve for dU.

    A D-SOLVE: dU = −A⁻¹ dA U, B held still
    B D-SOLVE: dU = A⁻¹ dB, A held still
    """
    return -(inv(A) @ (dA @ U)), inv(A) @ dB


@op("A[n,n], Q[n,n] -> [n,n]", exactly=dense.lyapunov, text="lyap($A:0, $Q:0)", latex=r"\operatorname{lyap}($A:0, $Q:0)", calls=("lyap",),
    needs="no two eigenvalues of $A add up to 0", moves={1: lambda G, A, Q: _lyap_back(G, A)},
    array=lambda np, A, Q: _lyap_array(np, A, Q))  # fmt: skip
def lyap(Y: Expr, A: Expr, Q: Expr, dA: Expr, dQ: Expr) -> tuple[list[Expr], Expr]:
    """The X with A X + X Aᵀ = Q: differentiate dA X + A dX + dX Aᵀ + X dAᵀ = dQ, and solve for dX.

    A D-LYAP: dX = −lyap(A, dA X + X dAᵀ), from A X + X Aᵀ = Q
    Q M-LYAP: ⟨G, lyap(A, dQ)⟩ = ⟨lyap(Aᵀ, G), dQ⟩ | with Z = lyap(Aᵀ, G): ⟨AᵀZ + Z A, X⟩ = ⟨Z, A X + X Aᵀ⟩ = ⟨Z, dQ⟩
    """
    return [-lyap(A, dA @ Y), -lyap(A, Y @ dA.T)], lyap(A, dQ)


def _lyap_back(G: Expr, A: Expr) -> Expr:
    return lyap(A.T, G)


def _lyap_array(np: Any, A: Any, Q: Any) -> Any:
    n = A.shape[0]
    return np.linalg.solve(np.kron(A, np.eye(n)) + np.kron(np.eye(n), A), np.ravel(Q)).reshape(n, n)


# ---- triangular systems ----------------------------------------------------------------------------------


def _triangular(name: str, part: Op, spelled: str, *calls: str) -> None:
    """Declare the solution of a system with a triangular matrix, for one right side and for several."""
    says = f"""Differentiate {spelled}(L) u = b: {spelled}(dL) u + {spelled}(L) du = db, and solve for du; the other entries of L do not count.

    L D-SOLVE: du = −{spelled}(L)⁻¹ {spelled}(dL) u, b held still
    b D-SOLVE: du = {spelled}(L)⁻¹ db, L held still
    """
    data = {"text": f"{name}($L:0, $b:0)", "latex": rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}($L:0, $b:0)",
            "calls": (name, *calls), "needs": "every entry on the diagonal of $L is nonzero"}  # fmt: skip

    def defined(e: Expr, L: Expr, b: Expr) -> Expr:
        return inv(part(L)) @ b

    def body(u: Expr, L: Expr, b: Expr, dL: Expr, db: Expr) -> tuple[Expr, Expr]:
        back = inv(part(L))
        return -(back @ (part(dL) @ u)), back @ db

    body.__doc__ = says
    op("L[n,n], b[n] -> [n]", name=name, define=defined, **data)(body)
    op("L[n,n], b[n,k] -> [n,k]", name=f"{name}_columns", define=defined, **data)(body)


_triangular("solve_lower", tril, "tril", "trisolve")
_triangular("solve_upper", triu, "triu")


@composite_op("L[n,n], b[n] -> [n]", text="cho_solve($L:0, $b:0)", latex=r"\operatorname{cho\_solve}($L:0, $b:0)", calls=("cho_solve",),
              needs="every entry on the diagonal of $L is nonzero")  # fmt: skip
def cho_solve(L: Expr, b: Expr) -> Expr:
    """The solution of S u = b by S = L Lᵀ, of which L is given; entries above its diagonal do not count."""
    back = inv(tril(L))
    return back.T @ (back @ b)


@composite_op("L[n,n], B[n,k] -> [n,k]", text="cho_solve($L:0, $B:0)", latex=r"\operatorname{cho\_solve}($L:0, $B:0)", calls=("cho_solve",),
              needs="every entry on the diagonal of $L is nonzero")  # fmt: skip
def cho_solve_columns(L: Expr, B: Expr) -> Expr:
    """The solution of S U = B by S = L Lᵀ, of which L is given; entries above its diagonal do not count."""
    back = inv(tril(L))
    return back.T @ (back @ B)


@op("A[m,m], B[n,n], C[m,n] -> [m,n]", exactly=dense.sylvester, text="sylvester($A:0, $B:0, $C:0)",
    latex=r"\operatorname{sylvester}($A:0, $B:0, $C:0)", calls=("sylvester", "solve_sylvester"), needs="no eigenvalue of $A is one of −$B",
    moves={2: lambda G, A, B, C: _sylvester_back(G, A, B)}, array=lambda np, A, B, C: _sylvester_array(np, A, B, C))  # fmt: skip
def sylvester(Y: Expr, A: Expr, B: Expr, C: Expr, dA: Expr, dB: Expr, dC: Expr) -> tuple[Expr, Expr, Expr]:
    """The X with A X + X B = C: differentiate dA X + A dX + dX B + X dB = dC, and solve for dX.

    A D-LYAP: dX = −sylvester(A, B, dA X), from A X + X B = C
    B D-LYAP: dX = −sylvester(A, B, X dB), from A X + X B = C
    C M-LYAP: ⟨G, sylvester(A, B, dC)⟩ = ⟨sylvester(Aᵀ, Bᵀ, G), dC⟩ | with Z = sylvester(Aᵀ, Bᵀ, G): ⟨AᵀZ + Z Bᵀ, X⟩ = ⟨Z, A X + X B⟩ = ⟨Z, dC⟩
    """
    return -sylvester(A, B, dA @ Y), -sylvester(A, B, Y @ dB), sylvester(A, B, dC)


def _sylvester_back(G: Expr, A: Expr, B: Expr) -> Expr:
    return sylvester(A.T, B.T, G)


def _sylvester_array(np: Any, A: Any, B: Any, C: Any) -> Any:
    m, n = C.shape
    whole = np.kron(A, np.eye(n)) + np.kron(np.eye(m), B.T)
    return np.linalg.solve(whole, np.reshape(C, (m * n,))).reshape(C.shape)


@composite_op(
    "X[n,n] -> [n,n]",
    text="adj($X:0)",
    latex=r"\operatorname{adj}($X:0)",
    calls=("adj", "adjugate"),
    regular=True,
    needs="$X is invertible",
)
def adj(X: Expr) -> Expr:
    """The adjugate of an invertible matrix, det(X) X⁻¹: the transposed matrix of its cofactors."""
    return det(X) * inv(X)


@composite_op(
    "X[n,n] -> [n,n]",
    text="cofactor($X:0)",
    latex=r"\operatorname{cof}($X:0)",
    calls=("cofactor", "cof"),
    regular=True,
    needs="$X is invertible",
)
def cofactor(X: Expr) -> Expr:
    """The cofactors of an invertible matrix, det(X) X⁻ᵀ: the gradient of its determinant."""
    return det(X) * inv(X).T


@composite_op(
    "A[n,n], x[n] -> []",
    text="rayleigh($A:0, $x:0)",
    latex=r"\operatorname{R}($A:0, $x:0)",
    calls=("rayleigh",),
    needs="$x ≠ 0",
)
def rayleigh(A: Expr, x: Expr) -> Expr:
    """The Rayleigh quotient xᵀ A x / xᵀ x: at an eigenvector of A it is the eigenvalue."""
    return power(dot(x, x), exponent=Fraction(-1)) * dot(x, A @ x)


def _power_shape(attrs: tuple[int], *shapes: Shape) -> Shape:
    [exponent], [shape] = attrs, shapes
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ShapeError(
            "S002", f"only a square matrix has powers, and this is {show_shape(shape)}", expected="X[n,n] -> [n,n]"
        )
    if abs(exponent) > _LARGEST:
        raise UnsupportedError(
            "U041",
            f"the matrix power {exponent} is not supported",
            expected=f"a whole number from −{_LARGEST} to {_LARGEST}",
        )
    return shape


_LARGEST = 16  # a power is written out as a product


@composite_op("X[n,n] -> [n,n]", attrs=("exponent",), options={"exponent": ("n", "whole")}, tail="exponent", shape=_power_shape,
              text=lambda e: f"matrix_power($X:0, {e.attrs[0]})", latex=lambda e: f"$X:30^{{{e.attrs[0]}}}", calls=("matrix_power", "mpow"),
              needs=lambda e: "$X is invertible" if e.attrs[0] < 0 else "")  # fmt: skip
def matrix_power(X: Expr, *, exponent: int) -> Expr:
    """Xᵏ is the product of k factors X, of X⁻¹ if k is negative, and I for k = 0."""
    if not exponent:
        return eye(dim=X.shape[0]) @ eye(dim=X.shape[0])
    base = X if exponent > 0 else inv(X)
    found = base
    for _ in range(abs(exponent) - 1):
        found = found @ base
    return found


# ---- functions of a matrix -------------------------------------------------------------------------------


def _matrix_function(
    name: str,
    f: Callable[[dense.Matrix], dense.Matrix],
    says: str,
    array: Callable[..., Any],
    needs: str = "",
    keeps: tuple[str, ...] = _SYMMETRIC,
) -> Op:
    """f(X) by a power series in X, and its derivative, which is linear in the direction."""

    def block(np: Any, X: Any, E: Any) -> Any:
        n, size = X.shape[0], float(np.max(np.abs(E), initial=0.0)) or 1.0  # linear in E, however large that is
        return size * array(np, np.block([[X, E / size], [np.zeros((n, n)), X]]))[:n, n:]

    def called(np: Any, X: Any) -> Any:
        return getattr(np.linalg, name)(X)

    def first(np: Any, X: Any, E: Any) -> Any:
        n, size = X.shape[0], np.maximum(np.max(np.abs(E)), 1e-30)
        zero = np.zeros((n, n))
        return size * called(np, np.block([[X, E / size], [zero, X]]))[:n, n:]

    def second(np: Any, X: Any, E: Any, F: Any) -> Any:
        n, e, f = X.shape[0], np.maximum(np.max(np.abs(E)), 1e-30), np.maximum(np.max(np.abs(F)), 1e-30)
        O, E, F = np.zeros((n, n)), E / e, F / f
        whole = np.block([[X, E, F, O], [O, X, O, F], [O, O, X, E], [O, O, O, X]])
        return e * f * called(np, whole)[:n, 3 * n :]

    @op("X[n,n], E[n,n] -> [n,n]", name=f"frechet_{name}", floats=lambda X, E: dense.frechet(f, X, E), calls=(f"frechet_{name}",),
        series=name, text=f"frechet_{name}($X:0, $E:0)", latex=rf"L_{{\operatorname{{{name}}}}}($X:0, $E:0)", needs=needs,
        moves={1: lambda G, X, E: derivative(X.T, G)}, array=block, source=first)  # fmt: skip
    def derivative(Y: Expr, X: Expr, E: Expr, dX: Expr, dE: Expr) -> tuple[Expr, Expr]:
        """The derivative of a matrix function along E: the upper right block of the function of [X E; 0 X].

        E M-FRECHET: ⟨$G, L(X, $dE)⟩ = ⟨L(Xᵀ, $G), $dE⟩ with L the derivative at X = $X | tr(Gᵀ Xⁱ d Xʲ) = tr((Xⁱᵀ G Xʲᵀ)ᵀ d) in every term of the power series
        X D-FRECHET: the derivative of L(X, E) along $dX is the mixed second derivative of the matrix function
        """
        return mixed(X, E, dX), derivative(X, dE)

    @op("X[n,n], E[n,n], F[n,n] -> [n,n]", name=f"second_{name}", floats=lambda X, E, F: dense.frechet(f, X, E, F),
        series=name, text=f"second_{name}($X:0, $E:0, $F:0)", latex=rf"L^2_{{\operatorname{{{name}}}}}($X:0, $E:0, $F:0)", needs=needs,
        calls=(f"second_{name}",), source=second, moves={1: lambda G, X, E, F: mixed(X.T, G, F.T), 2: lambda G, X, E, F: mixed(X.T, E.T, G)})  # fmt: skip
    def mixed(Y: Expr, X: Expr, E: Expr, F: Expr, dX: Expr, dE: Expr, dF: Expr) -> tuple[Expr, Expr, Expr]:
        """The mixed second derivative of a matrix function along E and F, symmetric in these.

        E M-FRECHET: ⟨$G, L²(X, $dE, F)⟩ = ⟨L²(Xᵀ, $G, Fᵀ), $dE⟩ | tr(Gᵀ Xⁱ d Xʲ F Xᵏ) and tr(Gᵀ Xⁱ F Xʲ d Xᵏ) in every term of the power series
        F M-FRECHET: ⟨$G, L²(X, E, $dF)⟩ = ⟨L²(Xᵀ, Eᵀ, $G), $dF⟩ | as in the other direction
        X D-FRECHET: the third derivative of a matrix function has no name here
        """
        raise unnamed(f"the second derivative of {name}")

    @op("X[n,n] -> [n,n]", name=name, floats=f, series=name, calls=(name,), text=f"{name}($X:0)", latex=rf"\operatorname{{{name}}}($X:0)",
        keeps=keeps, regular=bool(needs), needs=needs, array=array, source=called)  # fmt: skip
    def function(Y: Expr, X: Expr, dX: Expr) -> Expr:
        """A function of a matrix is the sum of a power series in it.

        X D-FRECHET: d f(X) = L(X, dX) with X = $X, L the derivative of the power series term by term: Σ_j Xʲ dX Xᵏ⁻¹⁻ʲ for Xᵏ
        """
        return derivative(X, dX)

    function.doc = says
    return function


def _by_series(f: Callable[[dense.Matrix], dense.Matrix]) -> Callable[..., Any]:
    return lambda np, X: np.array(f([[float(x) for x in row] for row in X]))


expm = _matrix_function("expm", spectral.expm, "expm(X) = I + X + X²/2 + …", _by_series(spectral.expm), keeps=_DEFINITE)
logm = _matrix_function("logm", spectral.logm, "logm is the inverse of expm", _by_series(spectral.logm),
                        "$X has no eigenvalue on the negative axis")  # fmt: skip
sqrtm = _matrix_function("sqrtm", spectral.root, "sqrtm(X) sqrtm(X) = X", _by_series(spectral.root),
                         "$X has no eigenvalue on the negative axis", keeps=_DEFINITE)  # fmt: skip
sinm = _matrix_function("sinm", spectral.sinm, "sinm(X) = X − X³/6 + …", _by_series(spectral.sinm))
cosm = _matrix_function("cosm", spectral.cosm, "cosm(X) = I − X²/2 + …", _by_series(spectral.cosm))


@op("X[n,n] -> [n,n]", define=lambda e, X: inv(sqrtm(X)), text="invsqrtm($X:0)", latex="$X:30^{-1/2}", calls=("invsqrtm",),
    keeps=_DEFINITE, regular=True, needs="$X has no eigenvalue on the negative axis")  # fmt: skip
def invsqrtm(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The inverse of the square root: d(S⁻¹) = −S⁻¹ dS S⁻¹ with S = sqrtm(X).

    X D-INV: d(S⁻¹) = −S⁻¹ dS S⁻¹ with S the square root of $X
    """
    return -(Y @ REGISTRY["frechet_sqrtm"](X, dX) @ Y)
