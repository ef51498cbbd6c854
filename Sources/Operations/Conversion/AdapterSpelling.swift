import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// Modules as the tensors of a format: keys, alphas, and the forms that its readers expect.
struct AdapterSpelling {
  /// nil keeps the endings that keys have.
  private let format: AdapterFormat?
  /// The format that the adapter is read as.
  private let source: AdapterFormat
  /// nil for what suits the format.
  private let alpha: AlphaPolicy?
  private let storage: DType?
  /// By canonical suffix, how the keys of the source end.
  private let endings: [String: String]
  /// Whether the source has alphas as tensors.
  private let hasAlphas: Bool

  /// Whether the source has them in its header.
  private let hasConfiguration: Bool
  /// Whether what is spelled as PEFT does is one file without a configuration beside it, as ComfyUI and
  /// diffusers load it.
  let isLoose: Bool

  /// - Parameter output: nil where it is not known yet.
  init(
    _ settings: AdapterConversionSettings, from source: AdapterFormat, _ files: [AdapterFile],
    output: FilePath? = nil
  ) {
    let name = output?.lastComponent?.string ?? ""
    isLoose =
      settings.format == nil && source == .peft && name != AdapterFormat.peftModelName
      && (name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.zst"))
    let modules = files.flatMap(\.modules)
    hasConfiguration = files.contains {
      $0.file.metadata[StatedConfiguration.key] != nil
    }
    format = settings.format
    self.source = source
    alpha = settings.alpha
    storage = settings.storage
    var endings: [String: String] = [:]
    for module in modules {
      for (suffix, view) in module.allViews where endings[suffix] == nil {
        endings[suffix] = Self.ending(of: view, in: module, suffix)
      }
    }
    // What is read as the change of a bias may be called that of a factor.
    for key in files.flatMap({ $0.file.tensors.keys }) {
      guard let found = Self.table.split(key), found.suffix == LoRA.bias else { continue }
      endings[Full.biasDifference] = String(key.dropFirst(found.module.count))
      break
    }
    self.endings = endings
    hasAlphas = modules.contains { $0.alphaView != nil }
  }

  /// The format that is written.
  var target: AdapterFormat { format ?? source }

  /// What becomes of alphas.
  var policy: AlphaPolicy {
    // Formats without a configuration keep alphas as tensors, or they would be lost.
    if let alpha { return alpha == .config && !target.hasConfiguration ? .keep : alpha }
    if isLoose { return hasAlphas ? .keep : .fold }
    if format == nil, target != .peft, hasAlphas || hasConfiguration {
      return hasAlphas ? .keep : .config
    }
    switch target {
    case .kohya, .sgm, .musubi, .hcp, .comfy, .original: return .keep
    case .musubiOther, .diffusers: return .fold
    case .peft: return .config
    }
  }

  /// Modules in the form that the format stores, with the alphas that it is to hold.
  func stored(_ modules: [AdapterModule], losses: inout ConversionLosses) -> [AdapterModule] {
    modules.map { module in
      var module = module
      let isForeign = module.views[scalarSuffix.name] != nil || module.scale != nil
      if policy == .fold
        || (target != .peft && module.scale != nil && module.scale != 1)
        || (target.namesMagnitudesAsPEFT && isForeign && module.scale == nil)
      {
        module = module.foldingScale(losses: &losses)
      }
      let scalesBias = scalesBias(of: module)
      if scalesBias, module.totalScale == 0 { module = module.foldingScale(losses: &losses) }
      module = narrowed(
        scalesBias ? formed(module).dividingBias() : formed(module), losses: &losses)
      // PEFT turns the product of such layers itself.
      return target == .peft && !isLoose && module.keepsInputsFirst == true
        ? module.transposed() ?? module : module
    }
  }

  /// Whether readers multiply the change of the bias by the scale of the product.
  private func scalesBias(of module: AdapterModule) -> Bool {
    guard let bias = module.views[Full.biasDifference] else { return false }
    let ending = ending(of: Full.biasDifference, bias, in: module)
    return Self.table.split("module" + ending)?.suffix == LoRA.bias
  }

  /// Cores absorbed and magnitudes shaped as the format has them.
  private func formed(_ module: AdapterModule) -> AdapterModule {
    guard let format else { return module }
    var views = module.views
    if module.algorithm == LoRA.self, !format.readsLowRankCores, let mid = views[LoRA.mid],
      let down = views[LoRA.down]
    {
      let inner = mid.shape.dimensions[0]
      let whole = LoRA.absorbing(mid.tensor(), into: down.tensor()).reshaped(
        Shape([inner, down.shape.columns] + mid.shape.kernel))
      views[LoRA.mid] = nil
      views[LoRA.down] = TensorView(
        down.name, EncodedTensor(whole, as: .f32), from: down.file)
    }
    if let (suffix, view) = module.magnitude,
      let weight = module.algorithm.weightShape(of: module.shapes),
      (try? WeightDecomposition<Tensor>.axis(of: module.shapes, for: weight)) == .outputs
    {
      views[suffix] = nil
      let ones = weight.dimensions.dropFirst().map { _ in 1 }
      if format.namesMagnitudesAsPEFT {
        let shape: Shape =
          weight.kernel.isEmpty ? [weight.rows] : Shape([1, weight.rows] + ones.dropFirst())
        views[WeightDecomposition<Tensor>.outputSuffix.name] = view.reshaped(shape)
      } else {
        let isStored = suffix == WeightDecomposition<Tensor>.suffix.name
        views[WeightDecomposition<Tensor>.suffix.name] =
          isStored ? view : view.reshaped(Shape([weight.rows] + ones))
      }
    }
    return module.replacing(views)
  }

  /// Floating-point tensors in the format asked for.
  private func narrowed(
    _ module: AdapterModule, losses: inout ConversionLosses
  ) -> AdapterModule {
    storage.map { module.converted(to: $0, losses: &losses) } ?? module
  }

  /// The tensors of a module under the keys of the format.
  func tensors(of module: AdapterModule) -> [TensorView] {
    let told = module.views.filter { suffix, view in
      // What these readers tell from the factors themselves, as it was told here.
      suffix != reshapeSuffix.name || !view.isInMemory
        || ![.original, .diffusers, .peft].contains(target)
    }
    var tensors = told.map { suffix, view in
      view.renamed(module.name + ending(of: suffix, view, in: module))
    }
    if let alpha = alphaTensor(of: module) {
      tensors.append(
        alpha.renamed(module.name + ending(of: alphaSuffix.name, alpha, in: module)))
    }
    return tensors
  }

  private func ending(
    of suffix: String, _ view: TensorView, in module: AdapterModule
  ) -> String {
    guard format == nil else {
      return target.ending(
        of: suffix, in: module.algorithm, module: module.name)
    }
    return Self.ending(of: view, in: module, suffix) ?? endings[suffix]
      ?? target.ending(
        of: suffix, in: module.algorithm, module: module.name)
  }

  private static func ending(
    of view: TensorView, in module: AdapterModule, _ suffix: String
  ) -> String? {
    guard !view.isInMemory, view.name.hasPrefix(module.name) else { return nil }
    let ending = String(view.name.dropFirst(module.name.count))
    let found = table.split(view.name)
    let isCompanion = found == nil && ending == "." + suffix
    return isCompanion || (found?.module == module.name && found?.suffix == suffix) ? ending : nil
  }

  private static let table = SuffixTable()

  /// Modules as programs find them in the file.
  func read(_ modules: [AdapterModule]) -> [ReadModule] {
    ReadModule.modules(
      ofFile: modules.map { module in
        (
          module.name, module.algorithm, module.shapes,
          alphaTensor(of: module).map { _ in module.alpha ?? 0 }
        )
      })
  }

  /// The alpha that the file is to have for a module; nil for none.
  private func alphaTensor(of module: AdapterModule) -> TensorView? {
    switch policy {
    case .fold: return module.takesScale ? nil : module.alphaView
    case .config where module.takesScale: return nil
    case .config, .keep:
      if let view = module.alphaView { return view }
      if let alpha = module.alpha, module.totalScale != 1 || addsAlphas {
        return self.alpha(alpha, of: module)
      }
      guard addsAlphas, module.algorithm.scaleCarriers(of: module.shapes)?.isEmpty == false else {
        return nil
      }
      return self.alpha(Float(module.rank ?? 1), of: module)
    }
  }

  /// Whether readers of the format expect every module to have an alpha.
  private var addsAlphas: Bool {
    alpha == nil && format != nil && (target.isUnderscored || target == .hcp)
  }

  /// A scalar in the format of the factors, if that holds it.
  private func alpha(_ value: Float, of module: AdapterModule) -> TensorView {
    let carriers = module.algorithm.scaleCarriers(of: module.shapes) ?? []
    let format = carriers.lazy.compactMap { module.views[$0]?.dtype }.first ?? .f32
    return module.alphaTensor(value, format: format)
  }
}

extension AdapterModule {
  /// All tensors by canonical suffix, alpha included.
  var allViews: [String: TensorView] {
    var all = views
    all[alphaSuffix.name] = alphaView
    return all
  }
}
