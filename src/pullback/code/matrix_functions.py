"""Helpers for functions of matrices that a package lacks, as text.

The logarithm is that by inverse scaling and squaring: roots are taken until the matrix is near the identity, where the diagonal Padé
approximant, which is the Gauss-Legendre rule for the integral of (I + t X)⁻¹ X, has all digits (N. J. Higham, Functions of Matrices,
2008, section 11.5 and eq. 11.18; the square root: eq. 6.29). A matrix with an eigenvalue on the negative axis has no real root: NaN.
"""

from __future__ import annotations

__all__ = ["JAX_LOGM", "JAX_SQRTM", "NUMPY_PRINCIPAL", "TORCH_LOGM", "TORCH_SQRTM"]

_RULE = """    rule = (  # of Gauss and Legendre, from 0 to 1: places and weights
        (0.019855071751231912, 0.05061426814518853),
        (0.10166676129318664, 0.11119051722668721),
        (0.2372337950418355, 0.15685332293894344),
        (0.4082826787521751, 0.18134189168918083),
        (0.5917173212478249, 0.18134189168918083),
        (0.7627662049581645, 0.15685332293894344),
        (0.8983332387068134, 0.11119051722668721),
        (0.9801449282487681, 0.05061426814518853),
    )"""

NUMPY_PRINCIPAL = '''def _principal(x):
    """A function of a matrix; NaN where it is not real."""
    if np.isrealobj(x):
        return x
    near = np.sqrt(np.finfo(x.dtype).eps) * np.max(np.abs(x))
    return x.real if np.max(np.abs(x.imag)) <= near else np.full_like(x.real, np.nan)'''

JAX_SQRTM = '''def _sqrtm(x):
    """The principal square root; NaN where it is not real."""
    root = jax.scipy.linalg.sqrtm(x)
    near = jnp.sqrt(jnp.finfo(x.dtype).eps) * jnp.max(jnp.abs(root))
    return jnp.where(jnp.max(jnp.abs(jnp.imag(root))) > near, jnp.nan, jnp.real(root))'''

JAX_LOGM = f'''def _logm(x):
    """The principal logarithm, by inverse scaling and squaring; NaN where it is not real."""
    eye = jnp.eye(x.shape[-1], dtype=x.dtype)
{_RULE}

    def is_far(x):
        return jnp.max(jnp.sum(jnp.abs(x - eye), axis=0)) > 0.25

    def goes_on(state):  # the roots of a singular matrix stay far
        return is_far(state[0]) & (state[1] < 1e15)

    def rooted(state):
        return _sqrtm(state[0]), 2 * state[1]

    x, scale = jax.lax.while_loop(goes_on, rooted, (x, jnp.ones((), x.dtype)))
    d = jnp.where(is_far(x), jnp.nan, x - eye)
    return scale * sum(w * jnp.linalg.solve(eye + t * d, d) for t, w in rule)'''

TORCH_SQRTM = '''def _sqrtm(x):
    """The principal square root, by the product form of Denman and Beavers' iteration;
    NaN where it is not real."""
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    size = torch.linalg.matrix_norm(x)
    root = product = x / size
    for _ in range(40):
        inverse = torch.linalg.inv(product)
        root = 0.5 * root @ (eye + inverse)
        product = 0.5 * eye + 0.25 * (product + inverse)
    off = torch.linalg.matrix_norm(root @ root - x / size)
    real = off <= torch.finfo(x.dtype).eps ** 0.5
    return torch.where(real, torch.sqrt(size) * root, torch.nan)'''

TORCH_LOGM = f'''def _logm(x):
    """The principal logarithm, by inverse scaling and squaring; NaN where it is not real."""
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
{_RULE}
    scale = 1.0
    while torch.linalg.matrix_norm(x - eye, 1) > 0.25:
        x = _sqrtm(x)
        scale = 2 * scale
    d = x - eye
    return scale * sum(w * torch.linalg.solve(eye + t * d, d) for t, w in rule)'''
