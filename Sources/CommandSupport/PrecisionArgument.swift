import ArgumentParser
package import Tensors

/// A storage format as kohya's scripts spell it.
package enum PrecisionArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
  case fp16, bf16, fp32, float, float16, bfloat16, float32
  case fp8e4m3 = "fp8_e4m3"
  case fp8e4m3fn = "fp8_e4m3fn"
  case fp8e5m2 = "fp8_e5m2"

  package var dtype: DType {
    switch self {
    case .fp16, .float16: .f16
    case .bf16, .bfloat16: .bf16
    case .fp32, .float, .float32: .f32
    case .fp8e4m3, .fp8e4m3fn: .f8e4m3
    case .fp8e5m2: .f8e5m2
    }
  }
}
