package import Adapters
package import ModelFamilies
package import Tensors

extension NamedModule {
  /// - Parameter shapes: of its factors by canonical suffix, which show the extents of the weight or do not.
  package init(
    _ name: String, _ algorithm: any AdapterAlgorithm.Type, _ shapes: [String: Shape]
  ) {
    self.init(
      name, inputs: algorithm.inputWidth(of: shapes),
      outputs: algorithm.weightShape(of: shapes)?.rows)
  }
}
