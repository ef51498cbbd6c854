import Adapters
import LinearAlgebra
package import Safetensors
package import Tensors

extension AdapterModule {
  /// The module for the transpose of its weight: Wᵀ + Aᵀ · Bᵀ; nil for anything but LoRA of a matrix.
  ///
  /// Layers that keep their inputs first, as the `Conv1D` of GPT-2 does, store Wᵀ. Source: PEFT
  /// `tuners/lora/layer.py`, `get_delta_weight`.
  package func transposed() -> AdapterModule? {
    algorithm == LoRA.self ? Self.transposed(views).map(replacing) : nil
  }

  /// Factors of the transposed weight by canonical suffix; nil for anything but LoRA of a matrix.
  package static func transposed(_ views: [String: TensorView]) -> [String: TensorView]? {
    let others = [LoRA.mid, SparseResidual.valuesSuffix, reshapeSuffix.name]
    guard let up = views[LoRA.up], let down = views[LoRA.down],
      up.shape.dimensions.count == 2, down.shape.dimensions.count == 2,
      up.dtype.isConvertible, down.dtype.isConvertible, up.hasData, down.hasData,
      others.allSatisfy({ views[$0] == nil })
    else { return nil }
    var turned = views
    turned[LoRA.up] = down.transposed(named: up.name)
    turned[LoRA.down] = up.transposed(named: down.name)
    let (plain, outputs) = (
      WeightDecomposition<Tensor>.suffix.name, WeightDecomposition<Tensor>.outputSuffix.name
    )
    for suffix in [plain, outputs] {
      guard let view = views[suffix] else { continue }
      turned[suffix] = nil
      // Of every output, which is the second axis now; and back.
      let isRow = suffix == plain && view.shape.dimensions.first == 1
      turned[isRow ? outputs : plain] = view.reshaped(
        isRow ? [view.shape.count] : [1, view.shape.count])
    }
    return turned
  }
}

extension TensorView {
  fileprivate func transposed(named name: String) -> TensorView {
    TensorView(name, EncodedTensor(tensor().transposed(), as: dtype), from: file)
  }

  /// The same numbers in another shape of as many.
  package func reshaped(_ shape: Shape) -> TensorView {
    shape == self.shape ? self : TensorView(name, encoded.reshaped(shape), from: file)
  }
}
