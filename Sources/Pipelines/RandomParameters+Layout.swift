package import DiffusionModels
package import ModelFamilies
import Tensors

extension RandomParameters {
  /// Of the size of a checkpoint, of which only names and shapes are known.
  package init(_ layout: ModelLayout, seed: UInt64 = 0) {
    var shapes: [String: Shape] = [:]
    for module in layout.modules {
      let name = "\(module.component)/\(module.graphPath)"
      shapes[name + ".weight"] = module.shape
      if module.bias != nil { shapes[name + ".bias"] = [module.shape.rows] }
    }
    // OpenCLIP's table of positions is no module, so its shape is not in the layout.
    for component in layout.family.textEncoders {
      let embeddings = component + "/text_model.embeddings."
      if let tokens = shapes[embeddings + "token_embedding.weight"] {
        let positions = embeddings + "position_embedding.weight"
        shapes[positions] = shapes[positions] ?? [CLIPTokenizer.rowLength, tokens.columns]
      }
    }
    self.init(shapes: shapes, seed: seed)
  }
}
