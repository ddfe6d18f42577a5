"""Machine code of a PyTensor function, called at its address from other compiled code.

Numba compiles a function anew into each that calls it, which for a law takes seconds in every
process. What PyTensor compiled it keeps on disk; code that calls this where it lies is a few lines
long and compiled in a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.experimental.function_type import _get_jit_address
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numpy.typing import NDArray

__all__ = [
    "Native",
    "Posterior",
    "addresses",
    "call_callback",
    "copy_callback",
    "gradient_callback",
]

NO_DENSITY = 1
"""What a callback returns where the density is zero or no number: NUTS turns back there.

So it does where the function raises, which must stay rare, as Numba leaks the error. One that
always raises is seen before NUTS starts: the climbs to the modes call the function from Python.
"""

NUMBERS = types.CPointer(types.float64)


@dataclass(frozen=True, eq=False)
class Native:
    """A function of a position and data, as machine code."""

    function: Any
    """The dispatcher of Numba, which owns the code."""
    arguments: Any
    """Numba's type of the tuple of arguments."""
    returned: Any
    """Numba's type of what comes back."""
    address: int

    @classmethod
    def of(cls, function: Any, *arguments: NDArray[Any]) -> Native:
        """Compile a PyTensor function for arguments like these, or load it from disk.

        Parameters
        ----------
        function : pytensor Function
            Compiled with mode NUMBA.
        *arguments : ndarray
            A position and the data.
        """
        dispatcher, types_of_arguments = function.vm.jit_fn, (numba.typeof(arguments),)
        dispatcher.compile(types_of_arguments)
        signature = dispatcher.overloads[types_of_arguments].signature
        address = _get_jit_address(dispatcher, signature)
        return cls(dispatcher, signature.args[0], signature.return_type, address)

    @cached_property
    def call(self) -> Any:
        """What compiled code calls: ``failed, returned = call((position, *data))``."""

        @intrinsic
        def call(_typing: Any, arguments: Any) -> Any:
            if arguments != self.arguments:
                raise TypeError(f"Compiled for {self.arguments}, called with {arguments}.")

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                convention = context.call_conv
                code = convention.get_function_type(self.returned, (self.arguments,))
                address = context.get_constant(types.intp, self.address)
                pointer = builder.inttoptr(address, code.as_pointer())
                status, returned = convention.call_function(
                    builder, pointer, self.returned, (self.arguments,), values
                )
                both = [status.is_error, returned]
                return context.make_tuple(builder, signature.return_type, both)

            return types.Tuple([types.boolean, self.returned])(arguments), generate

        return call

    @cached_property
    def gather(self) -> Any:
        """What makes the arguments: ``gather(position, dimensions, data)`` of two pointers.

        The second points to the numbers of :func:`addresses`.
        """

        @intrinsic
        def gather(_typing: Any, position: Any, dimensions: Any, data: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                position, dimensions, data = values
                numbers = (
                    builder.load(builder.gep(data, [context.get_constant(types.intp, i)]))
                    for i in range(sum(1 + each.ndim for each in self.arguments.types[1:]))
                )

                def array(kind: Any, pointer: Any, shape: list[Any]) -> Any:
                    made = context.make_array(kind)(context, builder)
                    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
                    strides = [context.get_constant(types.intp, size)] if shape else []
                    for length in shape[:0:-1]:
                        strides.insert(0, builder.mul(strides[0], length))
                    populate_array(
                        made,
                        data=builder.bitcast(pointer, made.data.type),
                        shape=shape,
                        strides=strides,
                        itemsize=context.get_constant(types.intp, size),
                        meminfo=None,
                    )
                    return made._getvalue()

                first, *others = self.arguments.types
                arrays = [array(first, position, [dimensions])]
                for kind in others:
                    pointer = builder.inttoptr(
                        next(numbers), context.get_data_type(kind.dtype).as_pointer()
                    )
                    arrays.append(array(kind, pointer, [next(numbers) for _ in range(kind.ndim)]))
                return context.make_tuple(builder, signature.return_type, arrays)

            return self.arguments(position, dimensions, data), generate

        return gather


def addresses(data: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return where contiguous arrays lie, each followed by its shape; they must be kept alive."""
    return np.array([n for array in data for n in (array.ctypes.data, *array.shape)], np.uint64)


def gradient_callback(native: Native) -> Any:
    """Return the C function of a log density and its gradient that NUTS calls.

    Parameters
    ----------
    native : Native
        Returns the log density and its gradient.

    Returns
    -------
    numba CFunc
        ``callback(dimensions, position, gradient, density, data)`` of a count and four pointers,
        the last one to :func:`addresses`.
    """
    call, gather = native.call, native.gather

    @numba.cfunc(types.int64(types.uint64, NUMBERS, NUMBERS, NUMBERS, types.CPointer(types.uint64)))
    def callback(dimensions: Any, position: Any, gradient: Any, density: Any, data: Any) -> int:
        failed, (value, slopes) = call(gather(position, dimensions, data))
        if failed:
            return NO_DENSITY
        density[0] = value[()]
        finite = np.isfinite(density[0])
        for i in range(dimensions):
            gradient[i] = slopes[i]
            finite &= np.isfinite(slopes[i])
        return 0 if finite else NO_DENSITY

    return callback


@dataclass(frozen=True, eq=False)
class Posterior:
    """A log density and its gradient, as compiled code calls them."""

    callback: Any
    """The C function of :func:`gradient_callback`."""
    arrays: Sequence[NDArray[Any]]
    """The data, which lie where it is told to look."""
    breaks: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 1), np.int64))
    """Where the coordinates of each break lie in a position, shape (n_breaks, n_coordinates): first
    the spacing before it. Without rows where no break can change its place among others."""

    @cached_property
    def data(self) -> NDArray[np.uint64]:
        """Where they lie."""
        return addresses(self.arrays)


@cache
def copy_callback() -> Any:
    """Return the C function that keeps of a draw its position.

    Returns
    -------
    numba CFunc
        ``callback(dimensions, count, position, kept, data)``, as nutpie calls it.
    """

    @numba.cfunc(types.int64(types.uint64, types.uint64, NUMBERS, NUMBERS, types.voidptr))
    def callback(dimensions: Any, count: Any, position: Any, kept: Any, data: Any) -> int:
        for i in range(dimensions):
            kept[i] = position[i]
        return 0

    return callback


def _call_callback(
    _typing: Any, address: Any, position: Any, gradient: Any, density: Any, data: Any
) -> Any:
    """Call the C function of :func:`gradient_callback` at its address, with arrays.

    ``call_callback(address, position, gradient, density, data)`` returns what that function does.
    Unlike `Native.call` it is compiled without knowing what it calls, so code with it can be kept
    on disk.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, *arrays = values
        kinds = signature.args[1:]
        made = [
            context.make_array(kind)(context, builder, each)
            for kind, each in zip(kinds, arrays, strict=True)
        ]
        count = builder.extract_value(made[0].shape, 0)
        arguments = [count, *(each.data for each in made)]
        integer = context.get_value_type(types.int64)
        code = ir.FunctionType(integer, [argument.type for argument in arguments])
        return builder.call(builder.inttoptr(address, code.as_pointer()), arguments)

    return types.int64(address, position, gradient, density, data), generate


call_callback: Any = intrinsic(_call_callback)
