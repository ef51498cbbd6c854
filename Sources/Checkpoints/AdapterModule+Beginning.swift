import Adapters
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// The change since the beginning of training, B · A − B₀ · A₀, as one product of both ranks: up
  /// `[B, −B₀]`, down `[A; A₀]`.
  ///
  /// Magnitudes of DoRA stay: they are lengths of W + B · A − B₀ · A₀ as of W₀ + B · A, which is the same.
  /// Source: PEFT `tuners/lora/model.py`, `subtract_mutated_init`.
  /// - Parameter initial: the same module before training.
  /// - Throws: `CheckpointError.initialModule` if the factors are of other layers
  func subtracting(_ initial: AdapterModule) throws(CheckpointError) -> AdapterModule {
    let scale = totalScale
    guard algorithm == LoRA.self, initial.algorithm == LoRA.self,
      views[LoRA.mid] == nil, initial.views[LoRA.mid] == nil,
      let (up, down) = product, let (firstUp, firstDown) = initial.product,
      up.shape.rows == firstUp.shape.rows,
      down.shape.dimensions.dropFirst() == firstDown.shape.dimensions.dropFirst(), scale != 0
    else { throw .initialModule(initial.file, module: name, shapes: initial.shapes.description) }
    let rank = down.shape.rows + firstDown.shape.rows
    let ratio = initial.totalScale / scale
    func matrix(_ view: TensorView) -> Tensor { view.tensor().reshaped(view.shape.asMatrix) }
    let columns = [matrix(up).transposed(), matrix(firstUp).transposed() * -ratio]
    var views = views
    // A ratio of 1 is exact in any format.
    views[LoRA.up] = TensorView(
      up.name,
      EncodedTensor(
        Tensor.stacked(columns).transposed().reshaped(
          Shape([up.shape.rows, rank] + up.shape.dimensions.dropFirst(2))),
        as: up.dtype == firstUp.dtype && ratio == 1 ? up.dtype : .f32), from: file)
    views[LoRA.down] = TensorView(
      down.name,
      EncodedTensor(
        Tensor.stacked([matrix(down), matrix(firstDown)]).reshaped(
          Shape([rank] + down.shape.dimensions.dropFirst())),
        as: down.dtype == firstDown.dtype ? down.dtype : .f32), from: file)
    return replacing(views).withAlpha(scale * Float(rank), adding: alphaView != nil)
  }

  private var product: (up: TensorView, down: TensorView)? {
    guard let up = views[LoRA.up], let down = views[LoRA.down] else { return nil }
    return (up, down)
  }
}
