import Adapters
import Checkpoints
import ModelFamilies
import Operations
import Safetensors
import SystemPackage
import Tensors
import TestSupport

/// A conversion as the tool runs it, with the settings that tests vary.
@discardableResult
func convert(
  _ inputs: [FilePath], to output: FilePath, _ format: AdapterFormat?,
  as family: ModelFamily? = nil, alpha: AlphaPolicy? = nil, storage: DType? = nil,
  lenient: Bool = false, base: ModelLayout? = nil
) async throws -> ConversionReport {
  let adapters = try inputs.map {
    WeightedAdapter(
      file: try AdapterFile(opening: $0), denoiserRatio: 1, textEncoderRatio: 1)
  }
  let settings = AdapterConversionSettings(
    format: format, family: family, alpha: alpha, storage: storage, isLenient: lenient, threads: 2)
  return try await AdapterConversion(adapters, settings: settings, base: base).run(
    writing: output, progress: .silent)
}

/// The changes that an adapter file makes, by module, multiplied out.
func changes(_ path: FilePath) throws -> [String: Tensor] {
  var changes: [String: Tensor] = [:]
  for module in try AdapterFile(opening: path).modules {
    guard let weight = module.algorithm.weightShape(of: module.shapes) else { continue }
    changes[module.name] = try module.adapter(for: weight).change(
      of: Tensor(random: weight, seed: 7)
    ).delta
  }
  return changes
}
