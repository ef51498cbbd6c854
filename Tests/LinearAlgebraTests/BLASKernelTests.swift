import CBLAS
import Foundation
import Testing

/// OpenBLAS tells processors apart by their numbers, and of one that is younger than itself it takes the kernels of 2004.
@Suite struct BLASKernelTests {
  @Test(.enabled(if: ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] == nil))
  func kernelsUseWhatTheProcessorHas() throws {
    let processor = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    guard processor.contains(" avx2 ") else { return }
    let name = try #require(lyco_blas().pointee.openblas_get_corename())
    #expect(String(cString: name) != "Prescott")
  }
}
