"""What each rule of the engine says, why it is true, and a program in whose derivation it is used.

The rules of single ops (M-LEFT, D-MAP, …) are declared with the ops; here stand those that belong to no op.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RULES", "Rule"]

_LAYER = "z = W a + b; y = f(z); E = loss(y)"
_SOFTMAX = "y : n; e = exp(z); p = e / sum(e); E = −yᵀ log(p)"


@dataclass(frozen=True, slots=True)
class Rule:
    """A statement, its proof, and an example; `style` is the reading of the derivation in which it is used."""

    statement: str
    proof: str
    example: str = _LAYER
    style: str = "pairing"


RULES: dict[str, Rule] = {
    "DEF-GRAD": Rule("∇E = 1: the gradient of the target with respect to itself.", "dE = ⟨1, dE⟩ for the number E."),
    "SEED": Rule("The gradient of a value that is no number is given from outside.",
                 "It is ∇y of an unknown E that depends on y: dE = ⟨∇y, dy⟩.", "z = W a; given grad z as G"),
    "SUBST": Rule("dv is replaced by what it equals.", "v = F(…) holds for all values, so the linear parts of both sides agree."),
    "RIESZ": Rule("If dE = ⟨H, dv⟩ for every dv, then ∇v = H.",
                  "⟨H − ∇v, dv⟩ = 0 for every dv, also for dv = H − ∇v: ‖H − ∇v‖² = 0."),
    "INDEP": Rule("Several increments stand in the line: each gradient is read off with the others 0.",
                  "The inputs move independently, so the line holds for every choice of the increments."),
    "FANOUT": Rule("A name that is used several times has the sum of its contributions as gradient.",
                   "⟨H₁, dv⟩ + ⟨H₂, dv⟩ = ⟨H₁ + H₂, dv⟩: a pairing is linear in its first argument.", "h = f(x); E = hᵀ A h"),
    "ZERO": Rule("A name on which the target does not depend has gradient 0.", "No term of dE has its increment.", ""),
    "NAME": Rule("A gradient is given a name.", "It is a definition: nothing is claimed.", "E = log(sum(exp(z)))"),
    "GIVEN": Rule("What is said of the inputs of the second program.", "It is a hypothesis of the comparison: it is used, not proved.", ""),
    "D-ADD": Rule("d(A + B) = dA + dB.", "The increment of a sum is the sum of the increments.", "z = W a + b; E = loss(z)"),
    "D-LIN": Rule("dL(x) = L(dx) for a linear L.", "L(x + dx) = L(x) + L(dx): nothing is left over.", "s = sum(x); E = s^2"),
    "D-BILIN": Rule("d(A B) = dA B + A dB.", "(A + dA)(B + dB) = A B + dA B + A dB + dA dB, and dA dB is small of second order."),
    "D-FUN": Rule("d f(x) is the derivative of the unknown f at x, applied to dx.", "It is the definition of the derivative."),
    "D-LEMMA": Rule("The differential of a composite op is that of its definition.",
                    "The definition is differentiated as a program of its own: `pullback explain` shows it for each op.",
                    "p = softmax(z); E = loss(p)"),
    "D-DERIV": Rule("What dt is multiplied by in df(t) is f′(t).", "df(t) = f′(t) dt for every number dt.",
                    "phi(t) = t tanh(t); E = sum(phi(x))"),
    "D-SLOPE": Rule("dt is taken outside.", "Every term of the differential has the number dt once as a factor.",
                    "phi(t) = t tanh(t); E = sum(phi(x))"),
    "M-ADD": Rule("⟨G, A + B⟩ = ⟨G, A⟩ + ⟨G, B⟩.", "A pairing is a sum over entries, and that is linear."),
    "M-HOLE": Rule("The factor V is taken out of a pairing; what is left is its gradient.",
                   "A term that is linear in V is ⟨H, V⟩ for one H, the index sum without V.", _LAYER, "diagram"),
    "S-INLINE": Rule("A name that is used once is replaced by what it stands for.", "Equals for equals.", _SOFTMAX),
    "S-FOLD": Rule("A part that is the definition of a forward value is written with the name of that value.",
                   "v = F(…) holds, read from right to left: e / s is p again.", "e = exp(z); p = e / sum(e); E = loss(p)"),
    "S-FACT": Rule("What is known of a value, a sum or a norm, is put in.",
                   "The fact is proved from the definition, or assumed by the program and then listed.", ""),
    "S-ASSUME": Rule("An assumption of the program is used.", "It is a hypothesis of the result and listed there: it is not proved.", ""),
    "S-CANCEL": Rule("A common factor of numerator and denominator is left out.",
                     "It is nonzero wherever the quotient is defined.", ""),
    "S-FACTOR": Rule("A common factor is taken out of a sum.", "The distributive law, read from right to left.", "A : (n, n); E = xᵀ A x"),
    "S-TRANSPOSE": Rule("One transpose is written for several.", "(A B)ᵀ = Bᵀ Aᵀ and (A + B)ᵀ = Aᵀ + Bᵀ.",
                        "A : (m, n); X : (n, p); B : (p, m); E = tr(A X B)"),
    "S-NETWORK": Rule("A formula is written as the shortest one with the same index sum.",
                      "Both have the same sum over entries, which is compared.", "A : (n, n); E = tr(A A A)"),
    "S-NUMBERS": Rule("Numbers are multiplied out and put in front.", "Arithmetic of rational numbers.", "E = ½ ‖x‖²"),
    "S-LINEAR": Rule("A number or a sign is taken out of a linear op.", "L(c x) = c L(x).", "p = softmax(z); E = loss(p)"),
    "S-DEFINITION": Rule("An op is written as what defines it.", "It is its definition.", ""),
    "S-SAME": Rule("The same array, written shorter.", "Both sides have the same canonical form.", _LAYER, "jacobian"),
    "S-CHAIN": Rule("The derivative along all paths from a number to the target is the sum over the paths.",
                    "The chain rule for numbers.", _LAYER, "scalar"),
    "S-GROUP": Rule("Equal factors are collected.", "The distributive law.", _LAYER, "scalar"),
    "I-EXPAND": Rule("A matrix operation is written in entries.", "(A x)ᵢ = Σⱼ Aᵢⱼ xⱼ and so on: its definition.", _LAYER, "index"),
    "I-PARTIAL": Rule("∂xᵢ/∂xⱼ = δᵢⱼ.", "The entries of an input are independent.", _LAYER, "index"),
    "I-CHAIN": Rule("∂E/∂xⱼ = Σᵢ ∂E/∂yᵢ ∂yᵢ/∂xⱼ.", "The chain rule for partial derivatives.", _LAYER, "index"),
    "I-DELTA": Rule("Σⱼ δᵢⱼ xⱼ = xᵢ.", "Only the term with j = i is not 0.", _LAYER, "index"),
    "I-LIFT": Rule("An index sum is written in matrix notation again.", "Both have the same entries.", _LAYER, "index"),
    "I-RENAME": Rule("A summed index may have any letter.", "A finite sum does not depend on the name of its index.", "W : (m, n); E = ‖W a + b‖²", "index"),
    "I-SWAP": Rule("Finite sums may be exchanged.", "Addition is commutative and associative.", ""),
    "J-CHAIN": Rule("The Jacobian of a composition is the product of the Jacobians.", "The chain rule.", _LAYER, "jacobian"),
    "J-DIAG": Rule("diag(u) v = u ⊙ v.", "(diag(u) v)ᵢ = Σⱼ uᵢ δᵢⱼ vⱼ = uᵢ vᵢ.", _LAYER, "jacobian"),
    "J-DIFF": Rule("A Jacobian is what the increment is multiplied by.", "dy = J dx for every dx, and J is unique.", _LAYER, "jacobian"),
    "J-LIN": Rule("The Jacobian of a linear map is its matrix.", "A (x + dx) − A x = A dx.", _LAYER, "jacobian"),
    "J-MAP": Rule("The Jacobian of an entrywise function is diagonal.", "An entry depends on the same entry alone.", _LAYER, "jacobian"),
    "J-KRON": Rule("vec(A X B) = (Bᵀ ⊗ A) vec X.", "Column j of A X B is Σₖ Bₖⱼ A xₖ.", _LAYER, "jacobian"),
    "J-INDEX": Rule("An array of derivatives with more axes than a matrix is written entry by entry.", "It is its definition.", ""),
    "J-T": Rule("The gradient is the row of derivatives, transposed.", "dE = J dx = (Jᵀ)ᵀ dx = ⟨Jᵀ, dx⟩.", _LAYER, "jacobian"),
    "V-AXES": Rule("Which axis of a matrix is summed is its convention: the other convention has its transpose.",
                   "W a sums over the second axis, Wᵀ a over the first."),
    "V-ROWS": Rule("Cases may be columns or rows.", "(W X)ᵀ = Xᵀ Wᵀ: what holds of one holds of the other, transposed.",
                   "X : (n, B); Z = W X; E = loss(Z)"),
    "V-BCAST": Rule("A vector beside a matrix is repeated along the axis of the cases.", "b is added to every column: b 1ᵀ.",
                    "A : (n, B); W : (m, n); b : m; Z = W A + b; E = loss(Z)"),
    "V-BIASFOLD": Rule("A bias may be a column of the weights.", "[W b] [a; 1] = W a + b.", "W : (m, n); a : n; b : m; V = [W b]; z = V [a; 1]; E = loss(z)"),
    "V-VEC": Rule("A matrix may be stacked to a vector and back.", "vec is one-to-one, and keeps the pairing.", _LAYER, "jacobian"),
    "LOOP-IND": Rule("What holds of the last member, and of each member if it holds of the next, holds of all.",
                     "Induction from the last member down.", "h[0] : n; h[t] = f(W h[t−1]) for t = 1..T; E = loss(h[T])"),
    "LOOP-SUM": Rule("A parameter that is the same in every round has the sum of the contributions as gradient.",
                     "Each round adds a pairing with the same increment.", "h[0] : n; h[t] = f(W h[t−1]) for t = 1..T; E = loss(h[T])"),
}  # fmt: skip
