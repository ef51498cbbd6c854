import Adapters
import ArgumentParser
import CommandSupport
import LinearAlgebra
import Tensors

/// In what form factors are found and stored.
struct FactorOptions: ParsableArguments {
  @Option(
    name: .customLong("save_precision"),
    help: ArgumentHelp(
      """
      fp16, bf16 or fp32. Default: the format of the base; for mode full fp32, and F64 where that \
      would not restore the tuned value.
      """, valueName: "format"),
    completion: .list(OptionTable.words(of: "save_precision", in: .extract)))
  var precision: PrecisionArgument?

  @Option(
    help: ArgumentHelp(
      """
      auto: randomized where it is as good. randomized: a seeded sketch. exact: the Gram matrix in \
      double precision.
      """, valueName: "method"), completion: .list(OptionTable.words(of: "svd", in: .extract)))
  var svd = SVDMethod.auto

  @Option(
    help: ArgumentHelp("Seed of the randomized SVD. Equal seeds give equal files.", valueName: "n"))
  var seed: UInt64 = 0

  @Flag(
    name: [.customLong("use_tucker"), .customLong("use_cp")],
    help: "Split the kernel of convolutions off into a core (lora_mid): smaller, less exact.")
  var tucker = false

  @Flag(
    name: .customLong("use_sparse_bias"),
    help: "Also keep the largest entries of what the factors leave out.")
  var keepsResidual = false

  @Option(
    help: ArgumentHelp("Share of those entries that is left out, 0 to 1.", valueName: "share"))
  var sparsity = 0.98

  @Flag(
    name: .customLong("no_full"),
    help: """
      Always store factors. Otherwise a difference is stored whole where its factors would be \
      larger, which loaders that know LoRA alone (diffusers, PEFT) do not read.
      """)
  var forbidsFull = false

  func validate() throws {
    guard (0...1).contains(sparsity) else {
      throw ValidationError("'--sparsity': expected a number from 0 to 1, found \(sparsity)")
    }
    if let dtype = precision?.dtype, dtype.isFloat8 {
      throw ValidationError("'--save_precision': expected fp16, bf16 or fp32 for an adapter")
    }
  }

  var storage: DType? { precision?.dtype }

  var factorization: FactorizationSettings {
    FactorizationSettings(
      method: svd, seed: seed, tucker: tucker, residualSparsity: keepsResidual ? sparsity : nil,
      allowsFull: !forbidsFull)
  }
}

extension SVDMethod: ExpressibleByArgument {}
