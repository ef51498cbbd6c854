extension Sampler {
  /// As it is parsed, and by the name that web UIs have for the method of pseudo numbers (PNDM): "PLMS".
  /// - Throws: `SamplerError`
  package init(named text: String) throws(SamplerError) {
    let isPLMS = Self.folded(text) == "plms"
    try self.init(parsing: isPLMS ? SamplerName.pndm.rawValue : text)
  }
}
