internal import CBLAS

/// OpenBLAS and LAPACKE, which are loaded when this is first read.
/// - Complexity: O(1); some 3 ms the first time
var blas: UnsafePointer<lyco_blas_calls> { unsafe lyco_blas() }
