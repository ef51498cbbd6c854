import Checkpoints
import SystemPackage
import Tensors

/// `apply-adapter BASE ADAPTER RATIO`: what an adapter does to the weights of a checkpoint.
@main struct ApplyAdapter {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let ratio = Float(arguments[3]) else {
      print("usage: apply-adapter BASE ADAPTER RATIO")
      return
    }
    let base = try BaseModel(opening: FilePath(arguments[1]))
    let adapter = try AdapterFile(opening: FilePath(arguments[2]))
    var total = 0.0
    for module in adapter.modules where module.changesWeight {
      let rank = module.rank.map { "rank \($0)" } ?? "no rank"
      // Adapters name layers in a dozen spellings; the model knows which of its tensors is meant.
      guard let weight = try base.weight(of: module) else {
        print("\(module.name)\t\(module.algorithmName)\t\(rank)\tno such layer")
        continue
      }
      let adapted = try module.applied(to: weight, multiplier: ratio)
      let change = adapted.squaredDistance(to: weight)
      total += change
      print(
        "\(module.name)\t\(module.algorithmName)\t\(rank)\t\(weight.shape)\t\(change.squareRoot())")
    }
    print("change of all weights: \(total.squareRoot())")
  }
}
