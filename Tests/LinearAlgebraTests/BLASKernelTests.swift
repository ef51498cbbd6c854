import CBLAS
import Foundation
import Testing

/// OpenBLAS confuses some processors with old ones; what is asked of it then is not left in the environment.
@Suite struct BLASKernelTests {
  @Test(.enabled(if: ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] == nil))
  func kernelsUseWhatTheProcessorHas() throws {
    let processor = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    guard processor.contains(" avx2 ") else { return }
    let name = try #require(lyco_blas().pointee.openblas_get_corename())
    #expect(String(cString: name) != "Prescott")
    #expect(getenv("OPENBLAS_CORETYPE") == nil)
  }
}
