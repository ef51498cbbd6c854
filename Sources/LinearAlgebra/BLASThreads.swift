private import CBLAS

/// How many threads one BLAS or LAPACK call may use.
package enum BLASThreads {
  /// Sets the number for the whole process. Programs that work on several matrices at once set 1
  /// before the first product: twelve 640x640 SVDs take 0.45 s by two tasks of one thread each, and
  /// 0.58 s by one task of two threads.
  package static func set(_ count: Int) { lyco_blas_set_threads(Int32(clamping: count)) }
}
